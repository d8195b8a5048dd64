"""How long to wait before connecting again."""

from __future__ import annotations

import random

from swarmage.clock import Clock

FIRST_RETRY = 0.1
LONGEST_RETRY = 2.0
"""Seconds: a restarted bus has everybody back well within 5 s."""
STABLE = 5.0
"""Seconds after which a connection that is lost is no sign that the next one will be."""


class Backoff:
    """Waits that double, spread so that those who lost the bus together do not come back together."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rng = random.Random()  # noqa: S311 - no secret, it only spreads the load
        self._pause = FIRST_RETRY
        self._began = clock.monotonic()

    def begin(self) -> None:
        """Note that a connection is tried now."""
        self._began = self._clock.monotonic()

    def next(self) -> float:
        """Return the seconds to wait now that it has failed, or ended."""
        if self._clock.monotonic() - self._began > STABLE:
            self._pause = FIRST_RETRY
        pause, self._pause = self._pause, min(LONGEST_RETRY, self._pause * 2)
        return pause * self._rng.uniform(0.5, 1.0)
