"""What an actor elsewhere will answer.

From: asking.  To: your program.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator
from typing import Any

from swarmage.clock import SYSTEM_CLOCK
from swarmage.errors import ActorDead, RemoteError, ReplyTimeout, SwarmageError
from swarmage.wire.requests import Answer, Content, Request

DEFAULT_TIMEOUT = 300.0
"""Seconds; every wait has a deadline, also when nobody named one."""
SLICE = 0.5
"""Seconds that a thread waits at a stretch: the time limit of a task strikes only in between."""


class RemoteFuture:
    """An answer that is to come. Wait with `get` or ``await``; any thread may, and more than one.

    Attributes:
        name: of the actor.
        request: what it was asked, without number and session; None once that is answered.
    """

    def __init__(self, name: str, request: Request | None) -> None:
        self.name = name
        self.request = request
        self._done = False
        self._gate = threading.Lock()  # held until it is done: half the price of an Event, for each ask
        self._gate.acquire()
        self._lock = threading.Lock()  # guards those below until it is done
        self._answer: Answer | None = None
        self._error: SwarmageError | None = None
        self._listeners: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"<answer of the actor {self.name}: {'there' if self._done else 'to come'}>"

    def get(self, timeout: float | None = None) -> Any:
        """Return what the actor returned.

        Args:
            timeout: seconds to wait; None for 300.

        Raises:
            RemoteError: the actor raised something; carries its words and the remote traceback.
            ActorUnknown: nobody publishes an actor of this name; after 3 s at most.
            ActorDead: the actor is gone; what it was asked may have been done.
            ConnectionLost: the connection to the bus ended meanwhile; what was asked may have been done.
            ReplyTimeout: it has not answered in time; the future can be asked again.
            Unreadable: it returned what cannot be read in this process.
        """
        seconds = DEFAULT_TIMEOUT if timeout is None else timeout
        deadline = SYSTEM_CLOCK.monotonic() + seconds
        while not self._done:
            left = deadline - SYSTEM_CLOCK.monotonic()
            if left <= 0:
                raise self._too_late(seconds)
            if self._gate.acquire(timeout=min(SLICE, left)):
                self._gate.release()  # for whoever else waits
        return self._open()

    def __await__(self) -> Generator[Any, None, Any]:
        """Wait in a coroutine, 300 s unless `asyncio.timeout` makes that shorter; raises what `get` does."""
        return self._in_coroutine().__await__()

    async def _in_coroutine(self) -> Any:
        import asyncio  # noqa: PLC0415 - a program of threads needs none

        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(done.set)

        self._listen(tell)
        try:
            async with asyncio.timeout(DEFAULT_TIMEOUT):
                await done.wait()
        except TimeoutError:
            if not self._done:
                raise self._too_late(DEFAULT_TIMEOUT) from None
        return self._open()

    def _listen(self, listener: Callable[[], None]) -> None:
        with self._lock:
            if not self._done:
                self._listeners.append(listener)
                return
        listener()

    # for asking

    def settle(self, answer: Answer) -> None:
        """Take the answer; what comes later is ignored."""
        self._end(answer, None)

    def fail(self, error: SwarmageError) -> None:
        """Note that no answer will come."""
        self._end(None, error)

    def _end(self, answer: Answer | None, error: SwarmageError | None) -> None:
        with self._lock:
            if self._done:
                return
            self._answer, self._error, self.request = answer, error, None
            self._done = True
            self._gate.release()
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener()

    def _open(self) -> Any:
        if self._error is not None:
            raise self._error.with_traceback(None)
        answer = self._answer
        assert answer is not None
        if answer.say == "dead":
            raise ActorDead(f"the actor {self.name} stopped before it answered; what it was asked may have been begun")
        if answer.failure is not None:
            raise RemoteError(answer.failure.kind, answer.failure.message, answer.failure.traceback)
        return Content(answer.value, answer.pickled).open()

    def _too_late(self, seconds: float) -> ReplyTimeout:
        return ReplyTimeout(
            f"the actor {self.name} has not answered in {seconds:.1f} s; it may still do what it was asked"
        )
