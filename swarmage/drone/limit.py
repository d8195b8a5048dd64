"""The time one attempt may take, in a thread that cannot be killed.

The drone looks at its workers every half second and raises `TaskTimeout` in the thread of one that is over its time. It
strikes at the next line of Python, so not while the task waits inside a call to C, such as a read without a timeout.
"""

from __future__ import annotations

import ctypes
import threading

from swarmage.clock import Clock
from swarmage.errors import TaskTimeout


class TimeLimit:
    """The time limit of one worker. The worker begins and ends it, the drone enforces it, the lock is between them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deadline: float | None = None
        self._armed = False  # a limit was set since the last end: one may have struck
        self._thread = 0

    def begin(self, seconds: float | None, clock: Clock) -> float | None:
        """Start the limit of a task; return the one that was running, of the task that waits for this one."""
        outer = self._deadline
        if seconds is not None or outer is not None:
            mine = clock.monotonic() + seconds if seconds is not None else None
            with self._lock:
                self._thread = threading.get_ident()
                self._deadline = mine
            self._armed = True
        return outer

    def end(self, outer: float | None) -> None:
        """End the limit of a task.

        Raises:
            TaskTimeout: it had just been enforced.
        """
        if not self._armed:
            return
        with self._lock:
            self._deadline = outer
        self._armed = outer is not None
        _checkpoint()

    def enforce(self, now: float) -> bool:
        """Raise `TaskTimeout` in the worker's thread if its time is over. Called by the drone."""
        with self._lock:
            if self._deadline is None or now < self._deadline:
                return False
            self._deadline = None
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), ctypes.py_object(TaskTimeout))
            return True


def _checkpoint() -> None:
    """Do nothing: an exception that is on its way to this thread strikes at the latest when a function is entered."""
