"""A TCP proxy between a program and its bus that does what networks do: delay, split, cut, swallow, refuse.

From: your program.  To: faults.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from swarmage.clock import SYSTEM_CLOCK
from swarmage.errors import ConfigError
from swarmage.settings import Address
from swarmage.testing.faults import PASS, Fault, Passage

T = TypeVar("T")

SECONDS = 10.0
"""How long an order to the proxy may take, and a connection to the bus."""
HERE = "127.0.0.1"


class FaultProxy:
    """Stands before a bus, on a port of its own of this machine, with a thread of its own.

    Each method returns when it is done, and any thread may call it. Connections have faults of their own, one for each
    direction; `set` is for all of them and those to come.

    Example:
        with FaultProxy("stomp://login:passcode@127.0.0.1:61613") as proxy:
            client = Client(proxy.url)
            proxy.set(down=Fault(delay=0.2))
            proxy.reset()
            proxy.mend()

    Args:
        url: of the bus; of several machines the first one.

    Attributes:
        url: what to connect to instead.
        port: where it listens.
        accepted: connections so far.
    """

    def __init__(self, url: str) -> None:
        self._bus = replace(Address.parse(url), others=())
        self._reserved = _socket(0)  # keeps the port while nobody listens
        self.port: int = self._reserved.getsockname()[1]
        self.url = replace(self._bus, host=HERE, port=self.port).url
        self.accepted = 0
        self._loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()
        self._up = self._down = PASS  # from here on the loop's
        self._next: deque[tuple[Fault, Fault]] = deque()
        self._passages: dict[Passage, asyncio.Task[None]] = {}
        self._listening: asyncio.Task[None] | None = None

    def __enter__(self) -> FaultProxy:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen; safe twice.

        Raises:
            ConfigError: it was stopped.
        """
        if self._loop.is_closed():
            raise ConfigError("this fault proxy was stopped; make another one")
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy", daemon=True)
            self._thread.start()
            self._do(self._listen)

    def stop(self) -> None:
        """End all connections and listen no more; safe twice."""
        thread, self._thread = self._thread, None
        if thread is not None:
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(SECONDS)
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(SECONDS)
        if not self._loop.is_closed():
            self._loop.close()
            self._reserved.close()

    # what happens

    def set(self, *, up: Fault = PASS, down: Fault = PASS, only: Passage | None = None) -> None:
        """Let this happen from now on.

        Args:
            up: to what goes to the bus.
            down: to what comes from it.
            only: to this connection alone, instead of all that are and will be.
        """

        def act() -> None:
            if only is None:
                self._up, self._down = up, down
            for passage in self._passages if only is None else (only,):
                passage.up.set(up)
                passage.down.set(down)

        self._do(act)

    def next(self, *, up: Fault = PASS, down: Fault = PASS) -> None:
        """Let this happen to the next connection alone; called twice, to the one after it."""
        self._do(lambda: self._next.append((up, down)))

    def mend(self) -> None:
        """Let everything pass again, and take connections; what lost bytes in a black hole stays as it is."""
        self.set()
        self._do(self._listen)

    def refuse(self) -> None:
        """Take no new connections until `mend`, as a machine on which nothing listens."""
        listening = self._do(self._stop_listening)
        if listening is not None:
            asyncio.run_coroutine_threadsafe(_ended(listening), self._loop).result(SECONDS)

    def reset(self, only: Passage | None = None) -> None:
        """End the present connections, or one of them, with a TCP reset on both sides."""

        def act() -> None:
            for passage in tuple(self._passages) if only is None else (only,):
                passage.reset()

        self._do(act)

    # what to wait for

    @property
    def passages(self) -> list[Passage]:
        """The present connections, oldest first."""
        return self._do(lambda: [*self._passages])

    def wait(self, check: Callable[[FaultProxy], bool], timeout: float) -> bool:
        """Wait until a connection has begun or ended and the check says yes; return what it says at last."""
        deadline = SYSTEM_CLOCK.monotonic() + timeout
        while not check(self):
            left = deadline - SYSTEM_CLOCK.monotonic()
            if left <= 0:
                return False
            with self._changed:
                self._changed.wait(min(left, 0.05))  # bytes pass without telling
        return True

    def _do(self, act: Callable[[], T]) -> T:
        if self._thread is None:
            raise ConfigError("this fault proxy is not running: start it, or use it in a with statement")

        async def acting() -> T:
            return act()

        return asyncio.run_coroutine_threadsafe(acting(), self._loop).result(SECONDS)

    # in the loop

    def _listen(self) -> None:
        if self._listening is None:
            listener = _socket(self.port)
            listener.listen(1000)
            self._listening = self._loop.create_task(self._accept(listener))

    def _stop_listening(self) -> asyncio.Task[None] | None:
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.cancel()
        return listening

    async def _accept(self, listener: socket.socket) -> None:
        with listener:
            while True:
                near, _ = await self._loop.sock_accept(listener)
                own = self._next.popleft() if self._next else None
                self._loop.create_task(self._serve(_ready(near), own))

    async def _serve(self, near: socket.socket, own: tuple[Fault, Fault] | None) -> None:
        """Pass on for one connection; one that leads into a black hole does not even reach the bus."""
        lost = (own or (self._up, self._down))[0].black_hole
        far = None if lost else await self._reach()
        if far is None and not lost:
            near.close()
            return
        passage = Passage(near, far, *(own or (self._up, self._down)))
        task = asyncio.current_task()
        assert task is not None
        self._passages[passage] = task
        self.accepted += 1
        self._tell()
        try:
            await passage.run()
        finally:
            del self._passages[passage]
            self._tell()

    async def _reach(self) -> socket.socket | None:
        try:
            async with asyncio.timeout(SECONDS):
                found = await self._loop.getaddrinfo(self._bus.host, self._bus.port, type=socket.SOCK_STREAM)
                far = _ready(socket.socket(found[0][0], socket.SOCK_STREAM))
                try:
                    await self._loop.sock_connect(far, found[0][4])
                except BaseException:  # raised again: nobody else will close what was opened here
                    far.close()
                    raise
                return far
        except OSError:  # TimeoutError is one
            return None

    async def _end(self) -> None:
        self._stop_listening()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()


async def _ended(task: asyncio.Task[None]) -> None:
    await asyncio.gather(task, return_exceptions=True)


def _socket(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # besides the one that keeps the port
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setblocking(False)
    sock.bind((HERE, port))
    return sock


def _ready(sock: socket.socket) -> socket.socket:
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a piece is written when it is due
    return sock
