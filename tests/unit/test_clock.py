from __future__ import annotations

import time

from swarmage.clock import SYSTEM_CLOCK


def test_the_wall_clock_tells_seconds_since_the_epoch() -> None:
    before = time.time_ns() / 1e9
    assert before - 0.001 <= SYSTEM_CLOCK.wall() <= time.time_ns() / 1e9 + 0.001


def test_the_monotonic_clock_is_the_one_that_waits_are_measured_with() -> None:
    before = time.monotonic()
    assert before <= SYSTEM_CLOCK.monotonic() <= time.monotonic()
