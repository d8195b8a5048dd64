"""Waiting for what came of a task.

From: bus, through replies.  To: your program.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

from swarmage.clock import SYSTEM_CLOCK, Clock
from swarmage.errors import ConfigError, ReplyTimeout, SwarmageError, TaskFailed, Unreadable
from swarmage.wire import codec
from swarmage.wire.envelope import ReplyBody

R = TypeVar("R")

DEFAULT_TIMEOUT = 300.0
"""Seconds; every wait has a deadline, also when nobody named one."""


_NEVER = threading.Condition()
"""What replies share that nobody asked for: nothing changes them."""


class Progress(NamedTuple):
    """How far a task says it is.

    Attributes:
        done: how much is done.
        total: of how much.
        text: in its own words.
    """

    done: float
    total: float
    text: str


class Reply(Generic[R]):
    """What comes back of one inserted task.

    Wait with `result`, with ``await`` or by iterating. The reading thread delivers, any thread may wait.

    Attributes:
        id: the task's identity.
        task_class: the task's class.
        asked: whether the task was inserted with a reply wanted.
        responses: those of several responses that have come so far.
    """

    def __init__(
        self,
        id: str,  # noqa: A002 - the task's
        task_class: str,
        kind: Any = Any,
        clock: Clock = SYSTEM_CLOCK,
        *,
        asked: bool = True,
    ) -> None:
        self.id = id
        self.task_class = task_class
        self.asked = asked
        self._kind = kind
        self._clock = clock
        self._changed = threading.Condition() if asked else _NEVER
        self._parts: deque[Any] = deque()
        self.responses: list[Any] = []
        self._lost: SwarmageError | None = None
        self._progress: Progress | None = None
        self._end: ReplyBody | None = None
        self._callbacks: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        state = "waiting" if self._end is None else self._end.kind
        return f"<reply to {self.task_class} {self.id}: {state}>"

    @property
    def done(self) -> bool:
        """Whether the task has ended."""
        return self._end is not None

    def result(self, timeout: float = DEFAULT_TIMEOUT, progress: Callable[[Progress], None] | None = None) -> R:
        """Return what the ability returned.

        Args:
            timeout: seconds to wait.
            progress: called in this thread with what the task says about itself meanwhile.

        Raises:
            TaskFailed: the task is a dead letter; carries its error and remote traceback.
            ReplyTimeout: it has not ended in time; the reply can be waited for again.
        """
        deadline = self._clock.monotonic() + timeout
        told: Progress | None = None
        while True:
            with self._changed:
                while self._end is None and (progress is None or self._progress is told):
                    self._wait(deadline, timeout)
                end, news = self._end, self._progress
            if progress is not None and news is not None and news is not told:
                progress(news)
                told = news
            if end is not None:
                return self._open(end)

    def __iter__(self) -> Iterator[Any]:
        """Return the responses in order, then what the ability returned; see `parts`."""
        return self.parts()

    def parts(self, timeout: float = DEFAULT_TIMEOUT) -> Iterator[Any]:
        """Return the responses in order; then what the ability returned, unless it responded and returned None.

        Responses leave the drone together with the task's acknowledgement: all of them, once, when it has succeeded.

        Args:
            timeout: seconds to wait for each.

        Raises:
            TaskFailed: the task is a dead letter.
            ReplyTimeout: nothing came in time.
        """
        responded = False
        while True:
            deadline = self._clock.monotonic() + timeout
            with self._changed:
                while not self._parts and self._end is None:
                    self._wait(deadline, timeout)
                waiting, end = list(self._parts), self._end
                self._parts.clear()
            yield from waiting
            responded = responded or bool(waiting)
            if end is not None:
                result = self._open(end)
                if result is not None or not responded:
                    yield result
                return

    def __await__(self) -> Generator[Any, None, R]:
        """Wait in a coroutine, for the default time; `asyncio.timeout` around it makes that shorter.

        Raises:
            TaskFailed: the task is a dead letter.
            ReplyTimeout: it has not ended in time.
        """
        loop = asyncio.get_running_loop()
        ended = loop.create_future()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(lambda: None if ended.done() else ended.set_result(None))

        self._check_asked()
        with self._changed:
            if self._end is None:
                self._callbacks.append(tell)
            else:
                ended.set_result(None)
        timer = loop.call_later(DEFAULT_TIMEOUT, lambda: None if ended.done() else ended.set_result(None))
        try:
            yield from ended.__await__()
        finally:
            timer.cancel()
        if self._lost is not None:
            raise self._lost
        if self._end is None:
            raise ReplyTimeout(self._too_late(DEFAULT_TIMEOUT))
        return self._open(self._end)

    def deliver(self, body: ReplyBody) -> None:
        """Take in what came; after the end, copies of it are ignored: the originator sees one result."""
        with self._changed:
            if self._end is not None:
                return
            match body.kind:
                case "part":
                    self._parts.append(body.value)
                    self.responses.append(body.value)
                case "progress":
                    match body.value:
                        case [int() | float() as done, int() | float() as total, str() as text]:
                            self._progress = Progress(done, total, text)
                case _:
                    self._end = body
            callbacks = self._callbacks if self._end is not None else []
            self._changed.notify_all()
        for callback in callbacks:
            callback()

    def abandon(self, error: SwarmageError) -> None:
        """Wake whoever waits with an error: nothing will come any more."""
        with self._changed:
            if self._end is not None:
                return
            self._lost = error
            callbacks, self._callbacks = self._callbacks, []
            self._changed.notify_all()
        for callback in callbacks:
            callback()

    def _wait(self, deadline: float, timeout: float) -> None:
        self._check_asked()
        if self._lost is not None:
            raise self._lost
        left = deadline - self._clock.monotonic()
        if left <= 0 or not self._changed.wait(left):
            raise ReplyTimeout(self._too_late(timeout))

    def _too_late(self, timeout: float) -> str:
        return (
            f"no reply to {self.task_class} {self.id} in {timeout:.1f} s; the task may wait, run, or be a dead letter"
        )

    def _check_asked(self) -> None:
        if not self.asked:
            raise ConfigError(f"{self.task_class} {self.id} was inserted with reply=False: nobody will answer")

    def _open(self, end: ReplyBody) -> R:
        if end.failure is not None:
            raise TaskFailed(end.failure.kind, end.failure.message, end.failure.traceback)
        value: R = end.value
        if self._kind is Any or value is None:
            return value
        try:
            value = codec.convert(end.value, self._kind)
        except Unreadable:  # it returned something else than it announced: better that than nothing
            return value
        return value
