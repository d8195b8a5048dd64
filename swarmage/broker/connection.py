"""One TCP connection under asyncio.

From: the network.  To: session.
"""

from __future__ import annotations

import asyncio
import socket
from typing import cast

from swarmage.broker.door import Door
from swarmage.broker.hub import Hub

LINGER_SECONDS = 2.0
"""How long a connection that is over waits for its client to read what is left."""


class Connection(asyncio.Protocol):
    """Carries bytes between a socket and a session.

    It enters itself in ``connections``, and in ``held_back`` while it does not read because the disk is behind.
    """

    def __init__(self, hub: Hub, door: Door, connections: set[Connection], held_back: set[Connection]) -> None:
        self._hub = hub
        self._door = door
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
        # Without heart-beats this is all that tells a dead machine from a quiet client.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        peer = transport.get_extra_info("peername")
        self._connections.add(self)
        self._session = self._hub.connect(self, f"{peer[0]}:{peer[1]}" if peer else "unknown")
        self._session.entry.door = self._door
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
            self._transport.pause_reading()
        self._hub.wake()

    def go_on(self) -> None:
        """Read again, because the disk has caught up or the login is done."""
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
        if not self._transport.is_closing():
            self._transport.write(data)

    def finish(self) -> None:
        """Close our direction now, and the socket when the client has closed its own or takes too long."""
        if self._finishing or self._transport.is_closing():
            return
        self._finishing = True
        if self._peer_done or not self._transport.can_write_eof():
            self._transport.close()  # under TLS it says so, and waits for the client to say so too
            return
        self._transport.resume_reading()
        try:
            self._transport.write_eof()
        except OSError:  # it was reset, which nobody has told us yet; others wait for the turn that called us
            self._transport.abort()
            return
        self._linger = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._transport.abort)

    def close(self) -> None:
        """Close the socket without waiting for the client."""
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the session."""
        if self._linger is not None:
            self._linger.cancel()
        self._connections.discard(self)
        self._held_back.discard(self)
        self._session.lost()
