"""The time one attempt may take, and its end when it is cancelled, in a thread that cannot be killed.

The drone looks at its workers ten times a second and raises `TaskTimeout` in the thread of one that is over its time.
It strikes at the next line of Python, so not while the task waits inside a call to C, such as a read without a timeout:
there only a hard limit helps, which ends the process.
"""

from __future__ import annotations

import ctypes
import threading
from dataclasses import replace
from typing import Any

from swarmage.abilities import Ability
from swarmage.clock import Clock
from swarmage.errors import TaskCancelled, TaskTimeout
from swarmage.outcome import Failed
from swarmage.task import Task

AGAIN = 1.0
"""Seconds until it strikes again in a task that has caught it."""

CANCEL_AGAIN = 5.0
"""Seconds that a cancelled task has to clean up in before it is struck again."""


class TimeLimit:
    """The time limit of one worker. The worker begins and ends it, the drone enforces it, the lock is between them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deadline: float | None = None
        self._armed = False  # a limit is set, or was and may have struck; the worker's thread alone looks at it
        self.thread = 0  # the worker's, once it has begun a task
        self.run: object = (
            None  # whose lines the thread is in, when it is in any; changed only while `_inside` is false
        )
        self._inside = False  # set by the worker's thread alone
        self._struck = False  # `cancel` was called; set under the lock, before it looks at `_inside`
        self._cancelled: object = None
        self._quiet_until = 0.0

    def begin(self, seconds: float | None, clock: Clock, run: object = None) -> float | None:
        """Start the limit of a task; return what `resume` takes for the task that waits for this one."""
        self._inside = False  # before looking, as in `suspend`
        outer = self.suspend() if self._armed or self._struck else None
        self.run = run
        self.thread = self.thread or threading.get_ident()
        if seconds is None:
            self._inside = True
        else:
            self.resume(clock.monotonic() + seconds)
        return outer

    def suspend(self) -> float | None:
        """Set no limit for a while, so that none strikes in the middle of our own bookkeeping; return what was left.

        Raises:
            TaskTimeout: it had just been enforced.
            TaskCancelled: the task had just been cancelled.
        """
        self._inside = False  # before looking: `cancel` sets the other first and looks at this then
        if not (self._armed or self._struck):
            return None
        with self._lock:
            left, self._deadline = self._deadline, None
            self._struck = False
        _checkpoint()
        self._armed = False
        return left

    def resume(self, deadline: float | None) -> None:
        """Set the limit again that `suspend` or `begin` returned."""
        self._armed = deadline is not None
        if deadline is not None:
            with self._lock:
                self._deadline = deadline
        self._inside = True

    def check(self, now: float) -> None:
        """Raise in a task that asks and is over its time. Called by the worker.

        Raises:
            TaskTimeout: it is.
        """
        if self._deadline is not None and now >= self._deadline:
            self.suspend()
            self.resume(now + AGAIN)  # as after `enforce`, which has nothing to raise any more
            raise TaskTimeout

    def enforce(self, now: float) -> bool:
        """Raise `TaskTimeout` in the worker's thread if its time is over. Called by the drone."""
        with self._lock:
            if self._deadline is None or now < self._deadline:
                return False
            self._deadline = now + AGAIN  # a task may catch it, and go on
            self._raise(TaskTimeout)
            return True

    def cancel(self, run: object, now: float) -> bool:
        """Raise `TaskCancelled` in the worker's thread if it is in the run's own lines. Called by the drone."""
        with self._lock:
            if self._cancelled is run and now < self._quiet_until:
                return False
            self._struck = True
            if not self._inside or self.run is not run:
                return False
            self._cancelled, self._quiet_until = run, now + CANCEL_AGAIN
            self._raise(TaskCancelled)
            return True

    def _raise(self, error: type[Exception]) -> None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.thread), ctypes.py_object(error))


def seconds_for(task: Task, timeout: float | None, clock: Clock) -> float | None:
    """Return how many seconds a task may take that is begun now: until its timeout or its deadline."""
    if task.deadline is None:
        return timeout
    left = task.deadline - clock.wall()
    return left if timeout is None else min(timeout, left)


def timed_out(outcome: Failed, task: Task, ability: Ability[..., Any], clock: Clock) -> Failed:
    """Return the outcome of a task that `TaskTimeout` has ended, with words that say which limit it was."""
    if task.deadline is not None and clock.wall() >= task.deadline:
        message = "its deadline passed while it was performed"
    elif ability.timeout is not None:
        message = f"longer than its timeout of {ability.timeout:g} s"
    elif ability.awaited and ability.hard_timeout is not None:
        message = f"longer than its hard_timeout of {ability.hard_timeout:g} s"
    else:
        return outcome  # it raised that itself
    return replace(outcome, failure=replace(outcome.failure, message=message))


def _checkpoint() -> None:
    """Do nothing: an exception that is on its way to this thread strikes at the latest when a function is entered."""
