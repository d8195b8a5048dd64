"""The bus on a TCP port."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import ssl
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from swarmage.broker.connection import LINGER_SECONDS
from swarmage.broker.entrance.door import Door
from swarmage.broker.entrance.reception import Reception
from swarmage.broker.entrance.tls import is_loopback
from swarmage.broker.entrance.users import UserFile
from swarmage.broker.events import event
from swarmage.broker.hub import TICK_SECONDS, Hub
from swarmage.broker.limits import Limits
from swarmage.broker.storage.sqlite_store import SqliteStore
from swarmage.broker.storage.store import MemoryStore, Store
from swarmage.clock import SYSTEM_CLOCK, Clock
from swarmage.errors import BusFailed, ConfigError

log = logging.getLogger("swarmage.bus")

STOP_SECONDS = 10.0
"""What the disk gets to take in the rest when the bus stops."""

REST_SECONDS = 0.005
"""How long an ack that nobody waits for may wait for the next sync of the disk (docs/decisions/0024)."""

_HASHERS = max(1, min(4, (os.cpu_count() or 1) // 2))  # threads that check passcodes: the bus keeps a core of its own


class BusServer:
    """A STOMP server with durable queues.

    One event loop owns everything; only `stop` may be called from elsewhere.

    Attributes:
        port: the TCP port, the real one after `start`.
    """

    def __init__(  # noqa: PLR0913 - settings, by keyword only
        self,
        *,
        host: str,
        port: int,
        data: Path | None,
        users: Mapping[str, str],
        clock: Clock = SYSTEM_CLOCK,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        tls: ssl.SSLContext | None = None,
        users_file: Path | None = None,
        durability: str = "disk",
    ) -> None:
        """Take the settings; nothing starts before `start`.

        Args:
            host: where to listen; another machine can reach it only with TLS and users.
            port: TCP port, 0 for any.
            data: the folder of the messages, None for memory only.
            users: the first users and their passcodes, who may do everything.
            clock: where time comes from.
            limits: what is granted before it is refused.
            tls: the certificate and key, None for no TLS.
            users_file: more users, with hashed passcodes and rights; read again whenever it is written.
            durability: what a receipt means: on the ``disk``, or only handed to the ``os``, which a power loss takes.
        """
        self.port = port
        self._tls = tls
        self._users_file = users_file
        self._host = host
        self._data = data
        self._durability = durability if data is not None else "memory"
        self._users = users
        self._clock = clock
        self._limits = limits
        self._hashers = ThreadPoolExecutor(_HASHERS, "passcodes")  # its threads start with the first passcode to hash
        self._turning = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due: float | None = None

    async def start(self) -> None:
        """Open the store and the port.

        Raises:
            ConfigError: the address or the store cannot be used; the message says which and why.
        """
        self._check_host()
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._progress = asyncio.Event()
        self._store = self._make_store()
        file = UserFile(self._users_file) if self._users_file else None
        self._hub = Hub(
            store=self._store,
            door=Door(self._users, self._clock, file, self._offload),
            clock=self._clock,
            limits=self._limits,
            name=secrets.token_hex(4),
            wake=self._wake,
            durability=self._durability,
            data=self._data,
        )
        self._hub.rest.seconds = REST_SECONDS if self._data is not None else 0.0
        self._reception = Reception(self._hub, self._tls)
        host = "127.0.0.1" if self._host == "localhost" else self._host
        try:
            self.port = await self._reception.open(host, self.port)
        except OSError as error:
            raise ConfigError(
                f"the bus cannot listen on {self._host}:{self.port}: {error.strerror or error}"
            ) from error
        try:
            waiting = await asyncio.to_thread(self._hub.load)
        except ConfigError:
            self._reception.close()
            raise
        self._ticker = self._loop.call_later(TICK_SECONDS, self._tick)
        await self._reception.serve()
        where = f"messages in {self._data}" if self._data is not None else "messages in memory only"
        fields = event(
            "started", host=self._host, port=self.port, tls=bool(self._tls), waiting=waiting,
            data=str(self._data or ""), durability=self._durability,
        )  # fmt: skip
        how = " with TLS" if self._tls else ""
        text = "listening on %s:%d%s, %s, durability %s, %d of them waiting"
        log.info(text, self._host, self.port, how, where, self._durability, waiting, extra=fields)

    def _check_host(self) -> None:
        if is_loopback(self._host) or (self._tls and self._users and all(self._users.values())):
            return
        raise ConfigError(f"the bus opens {self._host!r} to other machines only with TLS and users with passcodes")

    def _make_store(self) -> Store:
        if self._data is None:
            return MemoryStore()
        return SqliteStore(self._data, self._loop.call_soon_threadsafe, durability=self._durability)

    async def serve(self) -> None:
        """Run until `stop` is called.

        Raises:
            BusFailed: the store cannot keep messages any more.
        """
        await self._stopping.wait()
        self._reception.close()
        self._reception.hold()
        self._hub.rest.seconds = 0.0
        try:
            await asyncio.wait_for(self._store_the_rest(), STOP_SECONDS)
        except TimeoutError:
            self._hub.journal.failed = BusFailed(
                f"the disk of {self._data} took in {STOP_SECONDS:g} s not all that was received; what is missing has no"
                " receipt, and what is not deleted is delivered again"
            )
        await self._close()
        if self._hub.journal.failed is not None:
            log.error("%s", self._hub.journal.failed, extra=event("failed", reason=str(self._hub.journal.failed)))
            raise self._hub.journal.failed
        log.info("stopped", extra=event("stopped"))

    async def _store_the_rest(self) -> None:
        while not self._hub.journal.idle and self._hub.journal.failed is None:
            self._wake()
            self._progress.clear()
            await self._progress.wait()

    async def _close(self) -> None:
        self._ticker.cancel()
        if self._timer is not None:
            self._timer.cancel()
        for session in list(self._hub.sessions.values()):
            session.close()
        self._hub.turn()
        deadline = self._loop.time() + LINGER_SECONDS
        await asyncio.sleep(0)  # for those that were accepted just before
        while self._reception.connections and self._loop.time() < deadline:
            for connection in list(self._reception.connections):
                connection.close()  # when the last receipts are on their way
            await asyncio.sleep(0.01)
        for connection in list(self._reception.connections):
            connection.abort()  # who has not read them by now is not waited for
        await asyncio.sleep(0)
        self._store.close()
        self._hashers.shutdown(wait=False, cancel_futures=True)

    def stop(self) -> None:
        """End `serve`; may be called from any thread and from a signal handler, and twice."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: it has ended already
            self._loop.call_soon_threadsafe(self._stopping.set)

    def _offload(self, work: Callable[[], bool], done: Callable[[bool], None]) -> None:
        def finished(future: asyncio.Future[bool]) -> None:
            if not future.cancelled():
                done(future.exception() is None and future.result())
                self._wake()

        self._loop.run_in_executor(self._hashers, work).add_done_callback(finished)

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
        due = self._hub.next_due
        if due != self._timer_due:
            self._arm(due)
        if self._reception.held_back and self._hub.journal.unsaved_bytes <= self._limits.unsaved_bytes // 2:
            self._reception.go_on()

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
        self._reception.look()
        self._ticker = self._loop.call_later(TICK_SECONDS, self._tick)
