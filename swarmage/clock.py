"""The one place that asks the machine for the time, so that tests can pass another clock in."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where time comes from."""

    def wall(self) -> float:
        """Return seconds since the epoch; it may jump, so only what crosses processes uses it."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only grow; every interval and deadline is measured with it."""
        ...


class SystemClock:
    """This machine's clocks."""

    wall = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)


SYSTEM_CLOCK = SystemClock()
