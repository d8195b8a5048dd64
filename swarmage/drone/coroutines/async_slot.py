"""One slot of an AsyncWorker: a task that is being performed on the event loop, and how code inside it is known.

From: async_worker.  To: async_worker.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from types import FrameType
from typing import TYPE_CHECKING, Any

from swarmage.drone.limit import CANCEL_AGAIN
from swarmage.drone.run import Run
from swarmage.errors import TaskTimeout

if TYPE_CHECKING:
    from swarmage.drone.coroutines.async_worker import AsyncWorker

STRIKE_AGAIN = 1.0
"""Seconds until the limit strikes again in a coroutine that has caught it."""


class Slot:
    """A task that is being performed. Owned by the loop's thread.

    Attributes:
        run: the task.
        worker: whose slot it is.
        performing: the asyncio task that performs it.
        waits: how many of its coroutines wait for local tasks; meanwhile the slot is lent to others.
        struck: its time limit has.
        begun: its coroutine has.
        late_at: when its time is over, or over once more, in seconds of the cell's clock; None for no limit.
        told: when it last told of its progress, in seconds of the cell's clock.
    """

    __slots__ = ("_quiet_until", "_timer", "begun", "late_at", "performing", "run", "struck", "told", "waits", "worker")

    def __init__(self, run: Run, worker: AsyncWorker) -> None:
        self.run = run
        self.worker = worker
        self.performing: asyncio.Task[Any] | None = None
        self.waits = 0
        self.struck = False
        self.begun = False
        self.late_at: float | None = None
        self.told = 0.0
        self._quiet_until = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def limit(self, seconds: float, now: float) -> None:
        """Cancel the task when it has taken so long, and again each second after that."""
        self.unlimit()
        self.late_at = now + seconds
        self._timer = asyncio.get_running_loop().call_later(seconds, self._strike)

    def _strike(self) -> None:
        assert self.performing is not None
        assert self.late_at is not None
        self.struck = True
        self.limit(STRIKE_AGAIN, self.late_at)
        self.performing.cancel(str(TaskTimeout()))

    def cancel(self, now: float) -> None:
        """Cancel the task because nobody wants it any more, unless it was and has time to clean up."""
        if self.performing is not None and now >= self._quiet_until:
            self._quiet_until = now + CANCEL_AGAIN
            self.performing.cancel("the task was cancelled")

    def check(self, now: float) -> None:
        """Raise in a task that asks and is over its time.

        Raises:
            TaskTimeout: it is.
        """
        if self.late_at is not None and now >= self.late_at:
            self.limit(STRIKE_AGAIN, now)
            raise TaskTimeout

    def unlimit(self) -> None:
        """Strike no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


current: ContextVar[Slot | None] = ContextVar("current", default=None)
"""The slot in which the code that looks is running, also in the asyncio tasks that it started."""


def running_at(frame: FrameType | None) -> str:
    """Return in words which task is being performed where a thread stands.

    Args:
        frame: the innermost frame of the loop's thread.
    """
    while frame is not None:
        if frame.f_code is asyncio.Handle._run.__code__:  # it runs one step, in the context of whoever asked for it
            slot: Slot | None = frame.f_locals["self"]._context.get(current)
            if slot is not None:
                return f"task {slot.run.task.task_class} {slot.run.task.id}"
        frame = frame.f_back
    return "something that belongs to no task"
