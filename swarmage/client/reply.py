"""Waiting for what came of a task.

From: bus, through replies.  To: your program.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from typing import Any, Generic, TypeVar

from swarmage.client.awaiting import news
from swarmage.client.heard import NOTHING, Heard, Progress
from swarmage.clock import SYSTEM_CLOCK, Clock
from swarmage.errors import ConfigError, ReplyTimeout, TaskFailed, Unreadable
from swarmage.wire import codec
from swarmage.wire.envelope import ReplyBody

R = TypeVar("R")

DEFAULT_TIMEOUT = 300.0
"""Seconds; every wait has a deadline, also when nobody named one."""


class Reply(Generic[R]):
    """What comes back of one inserted task.

    Wait with `result`, with ``await`` or by iterating. The reading thread delivers, any thread may wait.

    Attributes:
        id: the task's identity.
        task_class: the task's class.
        asked: whether the task was inserted with a reply wanted.
        heard: what has come so far.
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
        self.heard = Heard() if asked else NOTHING
        self._kind = kind
        self._clock = clock

    def __repr__(self) -> str:
        end = self.heard.end
        return f"<reply to {self.task_class} {self.id}: {'waiting' if end is None else end.kind}>"

    @property
    def done(self) -> bool:
        """Whether the task has ended."""
        return self.heard.end is not None

    @property
    def responses(self) -> list[Any]:
        """Those of several responses that have come so far."""
        return self.heard.responses

    def begun(self, timeout: float = DEFAULT_TIMEOUT) -> bool:
        """Wait until a worker has begun, and say whether one has; for a task inserted with ``acknowledge=True``.

        Args:
            timeout: seconds to wait; 0 to look only.
        """
        heard = self.heard
        deadline = self._clock.monotonic() + timeout
        with heard.changed, contextlib.suppress(ReplyTimeout):
            while not heard.begun:
                self._wait(deadline, timeout)
        return heard.begun

    def result(self, timeout: float = DEFAULT_TIMEOUT, progress: Callable[[Progress], None] | None = None) -> R:
        """Return what the ability returned.

        Args:
            timeout: seconds to wait.
            progress: called in this thread with what the task says about itself meanwhile.

        Raises:
            TaskFailed: the task is a dead letter; carries its error and remote traceback.
            ReplyTimeout: it has not ended in time; the reply can be waited for again.
        """
        heard = self.heard
        deadline = self._clock.monotonic() + timeout
        told: Progress | None = None
        while True:
            with heard.changed:
                while heard.end is None and (progress is None or heard.progress is told):
                    self._wait(deadline, timeout)
                end, latest = heard.end, heard.progress
            if progress is not None and latest is not None and latest is not told:
                progress(latest)
                told = latest
            if end is not None:
                return self._open(end)

    def __iter__(self) -> Iterator[Any]:
        """Return the responses in order, then what the ability returned; see `parts`."""
        return self.parts()

    def parts(self, timeout: float = DEFAULT_TIMEOUT) -> Iterator[Any]:
        """Return the responses in order; then what the ability returned, unless it responded and returned None.

        Responses leave the drone together with the task's acknowledgement: all of them, once, when it has succeeded.
        Those that the task sent ``at_once`` come earlier.

        Args:
            timeout: seconds to wait for each.

        Raises:
            TaskFailed: the task is a dead letter.
            ReplyTimeout: nothing came in time.
        """
        heard, responded = self.heard, False
        while True:
            deadline = self._clock.monotonic() + timeout
            with heard.changed:
                while not heard.parts and heard.end is None:
                    self._wait(deadline, timeout)
                waiting, end = list(heard.parts), heard.end
                heard.parts.clear()
            yield from waiting
            responded = responded or bool(waiting)
            if end is not None:
                result = self._open(end)
                if result is not None or not responded:
                    yield result
                return

    def __await__(self) -> Generator[Any, None, R]:
        """Wait in a coroutine, until nothing has come for the default time; `asyncio.timeout` makes that shorter.

        Raises:
            TaskFailed: the task is a dead letter.
            ReplyTimeout: it has not ended in time.
        """
        return self._in_coroutine().__await__()

    async def _in_coroutine(self) -> R:
        async with contextlib.aclosing(self._news()) as coming:
            async for _ in coming:
                if self.heard.end is not None:
                    return self._open(self.heard.end)
        raise ReplyTimeout(self._too_late(DEFAULT_TIMEOUT))

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Return the responses in a coroutine, as `parts` does in a thread."""
        given = 0
        async with contextlib.aclosing(self._news()) as coming:
            async for _ in coming:
                while given < len(self.responses):
                    yield self.responses[given]
                    given += 1
                if self.heard.end is not None:
                    result = self._open(self.heard.end)
                    if result is not None or not given:
                        yield result
                    return
        raise ReplyTimeout(self._too_late(DEFAULT_TIMEOUT))

    def _news(self) -> AsyncGenerator[None, None]:
        self._check_asked()
        return news(self.heard, DEFAULT_TIMEOUT)

    def _wait(self, deadline: float, timeout: float) -> None:
        self._check_asked()
        if self.heard.lost is not None:
            raise self.heard.lost
        left = deadline - self._clock.monotonic()
        if left <= 0 or not self.heard.changed.wait(left):
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
