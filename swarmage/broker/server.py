"""The bus on a TCP port."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import secrets
from collections.abc import Mapping
from pathlib import Path

from swarmage.broker.connection import Connection
from swarmage.broker.hub import TICK_SECONDS, Hub
from swarmage.broker.limits import Limits
from swarmage.broker.sqlite_store import SqliteStore
from swarmage.broker.store import MemoryStore, Store
from swarmage.clock import SYSTEM_CLOCK, Clock
from swarmage.errors import ConfigError

log = logging.getLogger("swarmage.bus")

_BACKLOG = 1024


class BusServer:
    """A STOMP server with durable queues.

    One event loop owns everything; only `stop` may be called from elsewhere.

    Attributes:
        port: the TCP port, the real one after `start`.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        data: Path | None,
        users: Mapping[str, str],
        clock: Clock = SYSTEM_CLOCK,
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> None:
        self.port = port
        self._host = host
        self._data = data
        self._users = users
        self._clock = clock
        self._limits = limits
        self._connections: set[Connection] = set()
        self._held_back: set[Connection] = set()
        self._turning = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due: float | None = None

    async def start(self) -> None:
        """Open the store and the port.

        Raises:
            ConfigError: the address or the store cannot be used; the message says which and why.
        """
        _check_loopback(self._host)
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._progress = asyncio.Event()
        self._store = self._make_store()
        name = secrets.token_hex(4)
        self._hub = Hub(
            store=self._store, users=self._users, clock=self._clock, limits=self._limits, name=name, wake=self._wake
        )
        host = "127.0.0.1" if self._host == "localhost" else self._host
        try:
            self._server = await self._loop.create_server(
                lambda: Connection(self._hub, self._connections, self._held_back),
                host,
                self.port,
                backlog=_BACKLOG,
                start_serving=False,
            )
        except OSError as error:
            raise ConfigError(
                f"the bus cannot listen on {self._host}:{self.port}: {error.strerror or error}"
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]
        try:
            waiting = await asyncio.to_thread(self._hub.load)
        except ConfigError:
            self._server.close()
            raise
        self._ticker = self._loop.call_later(TICK_SECONDS, self._tick)
        await self._server.start_serving()
        where = self._data if self._data is not None else "memory only"
        log.info("listening on %s:%d, messages in %s, %d of them waiting", self._host, self.port, where, waiting)

    def _make_store(self) -> Store:
        if self._data is None:
            return MemoryStore()
        return SqliteStore(self._data, self._loop.call_soon_threadsafe)

    async def serve(self) -> None:
        """Run until `stop` is called.

        Raises:
            BusFailed: the store cannot keep messages any more.
        """
        await self._stopping.wait()
        self._server.close()
        self._held_back.clear()
        for connection in self._connections:
            connection.hold()
        while not self._hub.journal.idle and self._hub.journal.failed is None:
            self._wake()
            self._progress.clear()
            await self._progress.wait()
        self._close()
        if self._hub.journal.failed is not None:
            log.error("%s", self._hub.journal.failed)
            raise self._hub.journal.failed
        log.info("stopped")

    def _close(self) -> None:
        self._ticker.cancel()
        if self._timer is not None:
            self._timer.cancel()
        for session in list(self._hub.sessions.values()):
            session.close()
        self._hub.turn()
        for connection in list(self._connections):
            connection.close()
        self._store.close()

    def stop(self) -> None:
        """End `serve`; may be called from any thread and from a signal handler, and twice."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: it has ended already
            self._loop.call_soon_threadsafe(self._stopping.set)

    def _wake(self) -> None:
        if not self._turning:
            self._turning = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        # Set while turning, so that what the turn itself brings up does not call for another one.
        self._turning = True
        more = False
        try:
            more = self._hub.turn()
        finally:
            self._turning = False
        if more:
            self._wake()
        self._progress.set()
        if self._hub.journal.failed is not None:
            self._stopping.set()
        due = self._hub.router.next_due
        if due != self._timer_due:
            self._arm(due)
        if self._held_back and self._hub.journal.unsaved_bytes <= self._limits.unsaved_bytes // 2:
            for connection in self._held_back:
                connection.go_on()
            self._held_back.clear()

    def _arm(self, due: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = due
        self._timer = None
        if due is not None:
            self._timer = self._loop.call_later(max(0.0, due - self._clock.monotonic()), self._due)

    def _due(self) -> None:
        self._timer_due = None
        self._wake()

    def _tick(self) -> None:
        self._hub.tick()
        self._ticker = self._loop.call_later(TICK_SECONDS, self._tick)


def _check_loopback(host: str) -> None:
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigError(
            f"the bus listens on this machine only in this version, not on {host!r}; use 127.0.0.1, ::1 or localhost"
        )
