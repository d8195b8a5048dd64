"""Where connections come in: the port, and TLS before anything else.

From: the network.  To: connection.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import ssl
from typing import cast

from swarmage.broker.connection import LINGER_SECONDS, Connection
from swarmage.broker.events import event
from swarmage.broker.hub import Hub
from swarmage.broker.refused import Refused

log = logging.getLogger("swarmage.bus")

_BACKLOG = 1024
_OTHER_FILES = 200
_LOOKS = 6  # at each connection, in the time after which a machine that does not answer counts as gone


class Reception:
    """Accepts connections.

    Attributes:
        connections: those that are open, beyond the TLS handshake.
        held_back: those of them that are not read from because the disk is behind.
    """

    def __init__(self, hub: Hub, tls: ssl.SSLContext | None) -> None:
        self.connections: set[Connection] = set()
        self.held_back: set[Connection] = set()
        self._hub = hub
        self._tls = tls
        self._looked = hub.clock.monotonic()

    async def open(self, host: str, port: int) -> int:
        """Take the address, accept nothing yet, and return the port.

        Raises:
            OSError: the address cannot be used.
        """
        _allow_files(self._hub.limits.connections + _OTHER_FILES)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, host, port, backlog=_BACKLOG, start_serving=False)
        return int(self._server.sockets[0].getsockname()[1])

    def _protocol(self) -> asyncio.Protocol:
        return self.connection() if self._tls is None else _Porch(self, self._hub, self._tls)

    def connection(self) -> Connection:
        """Make one for a peer that has come in."""
        return Connection(self._hub, self.connections, self.held_back)

    async def serve(self) -> None:
        """Accept connections from now on."""
        await self._server.start_serving()

    def close(self) -> None:
        """Accept no more."""
        self._server.close()

    def hold(self) -> None:
        """Read nothing more, because the bus stops."""
        self.held_back.clear()
        for connection in self.connections:
            connection.hold()

    def go_on(self) -> None:
        """Read again, because the disk has caught up."""
        for connection in self.held_back:
            connection.go_on()
        self.held_back.clear()

    def look(self) -> None:
        """Now and then, give up the connections to machines that are gone."""
        now = self._hub.clock.monotonic()
        if now - self._looked >= self._hub.limits.vanished_seconds / _LOOKS:
            self._looked = now
            for connection in list(self.connections):
                connection.look()


def _allow_files(wanted: int) -> None:
    """Have the system let this process open so many files, or as many as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            log.warning("this process may open %d files, too few for all the connections it would take", hard)
            wanted = hard
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Early(asyncio.Protocol):
    """Keeps what arrives between the end of the handshake and our noticing it."""

    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.over = False

    def data_received(self, data: bytes) -> None:
        self.data.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.over = True


class _Porch(asyncio.Protocol):
    """A connection during its TLS handshake, which takes one of the places too."""

    def __init__(self, reception: Reception, hub: Hub, tls: ssl.SSLContext) -> None:
        self._reception = reception
        self._hub = hub
        self._tls = tls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.pause_reading()
        host = str((transport.get_extra_info("peername") or [""])[0])
        try:
            self._hub.crowd.enter(self, host)
        except Refused as full:  # it cannot be told without TLS
            log.warning("%s: refused: %s", host, full, extra=event("refused", peer=host, reason=str(full)))
            self._transport.abort()
            return
        self._task = asyncio.get_running_loop().create_task(self._shake_hands())

    def make_room(self) -> None:
        """Give the place to another connection."""
        self._hub.crowd.leave(self)
        self._task.cancel()
        self._transport.abort()

    async def _shake_hands(self) -> None:
        early = _Early()
        try:
            transport = await asyncio.get_running_loop().start_tls(
                self._transport,
                early,
                self._tls,
                server_side=True,
                ssl_handshake_timeout=self._hub.limits.login_seconds,
                ssl_shutdown_timeout=LINGER_SECONDS,
            )
        except OSError:  # asyncio has closed it
            return
        finally:
            self._hub.crowd.leave(self)
        if transport is None or early.over:
            return
        connection = self._reception.connection()
        transport.set_protocol(connection)
        connection.connection_made(transport)
        for data in early.data:
            connection.data_received(data)
