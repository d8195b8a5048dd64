"""One TCP connection under asyncio.

From: the network.  To: session.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import cast

from swarmage.broker.entrance.vanishing import has_vanished, keep_watch
from swarmage.broker.events import event
from swarmage.broker.hub import Hub

log = logging.getLogger("swarmage.bus")

LINGER_SECONDS = 2.0
"""How long a connection that is over waits for its client to read what is left."""


class Connection(asyncio.Protocol):
    """Carries bytes between a socket and a session.

    It enters itself in ``connections``, and in ``held_back`` while it does not read because the disk is behind.
    """

    def __init__(self, hub: Hub, connections: set[Connection], held_back: set[Connection]) -> None:
        self._hub = hub
        self._held_back = held_back
        self._connections = connections
        self._finishing = False
        self._peer_done = False
        self._linger: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open a session."""
        self._transport = cast(asyncio.Transport, transport)
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        keep_watch(raw, self._hub.limits.vanished_seconds)
        peer = transport.get_extra_info("peername")
        self._connections.add(self)
        self._session = self._hub.connect(self, f"{peer[0]}:{peer[1]}" if peer else "unknown")
        self._session.entry.go_on = self.go_on

    def data_received(self, data: bytes) -> None:
        """Hand the bytes to the session, or read them off if it has ended, lest a reset eat our last words."""
        if self._finishing:
            return
        self._session.receive(data)
        if self._session.entry.waiting:
            self._transport.pause_reading()
        elif self._hub.journal.unsaved_bytes > self._hub.limits.unsaved_bytes:
            self._held_back.add(self)
            self._session.held = True
            self._transport.pause_reading()
        self._hub.wake()

    def go_on(self) -> None:
        """Read again, because the disk has caught up or the login is done."""
        self._session.held = False
        self._session.pulse.received = self._hub.clock.monotonic()
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def hold(self) -> None:
        """Read nothing more, because the bus stops."""
        self._transport.pause_reading()

    def eof_received(self) -> bool:
        """Keep our direction open for what a leaving client still waits for."""
        self._peer_done = True
        # TLS has no half of a connection: who says goodbye there must wait for the receipt first.
        return self._session.leaving and not self._finishing and self._transport.can_write_eof()

    def pause_writing(self) -> None:
        """Deliver nothing until the client has read."""
        self._session.pause()

    def resume_writing(self) -> None:
        """Deliver again."""
        self._session.resume()

    def write(self, data: bytes) -> None:
        """Send bytes of the session."""
        if self._transport.is_closing():
            return
        self._transport.write(data)
        unread = self._hub.limits.unread_bytes
        if self._transport.get_write_buffer_size() > unread:
            self._give_up(f"more than {unread} bytes wait for it to read them")

    def look(self) -> None:
        """Give the connection up if the other machine is gone."""
        seconds = self._hub.limits.vanished_seconds
        if has_vanished(self._transport.get_extra_info("socket"), seconds):
            self._give_up(f"its machine has not answered for {seconds:g} s")

    def _give_up(self, reason: str) -> None:
        """End the connection, whose client cannot be told why."""
        peer = self._session.peer
        log.warning("%s: given up: %s", peer, reason, extra=event("given_up", peer=peer, reason=reason))
        self.abort()

    def finish(self) -> None:
        """Close our direction now, and the socket when the client has closed its own or takes too long."""
        if self._finishing or self._transport.is_closing():
            return
        self._finishing = True
        crowded = len(self._connections) > self._hub.limits.connections  # no time to wait for its goodbye
        if crowded or self._peer_done or not self._transport.can_write_eof():
            self._transport.close()  # under TLS it says so, and waits for the client to say so too
            return
        self._transport.resume_reading()
        try:
            self._transport.write_eof()
        except OSError:  # the client has reset the connection already
            self._transport.abort()
            return
        self._linger = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._transport.abort)

    def close(self) -> None:
        """Close the socket without waiting for the client."""
        self._transport.close()

    def abort(self) -> None:
        """Close the socket at once; what was not sent yet is dropped."""
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the session."""
        if self._linger is not None:
            self._linger.cancel()
        self._connections.discard(self)
        self._held_back.discard(self)
        self._session.lost()
