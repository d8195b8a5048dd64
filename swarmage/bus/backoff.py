"""How long to wait before connecting again, and for an answer when one does."""

from __future__ import annotations

import random

from swarmage.clock import Clock

FIRST_RETRY = 0.1
LONGEST_RETRY = 2.0
"""Seconds: a restarted bus has everybody back well within 5 s."""
STABLE = 5.0
"""Seconds after which a connection that is lost is no sign that the next one will be."""
OPEN_SECONDS = 5.0
"""Seconds to connect and log in."""
FIRST_SECONDS = 1.0
"""The same where there are other machines, so that one that is silent costs little. In each next round they have twice
as long, or buses that are only slow would be given up for ever."""


class Backoff:
    """Waits that double, spread so that those who lost the bus together do not come back together."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rng = random.Random()  # noqa: S311 - no secret, it only spreads the load
        self._pause = FIRST_RETRY
        self._began = clock.monotonic()
        self._tried = 0  # since there was a connection

    def begin(self) -> None:
        """Note that a connection is tried now."""
        self._began = self._clock.monotonic()

    def patience(self, machines: int) -> float:
        """Return the seconds to connect and log in, for a bus of so many machines, which are tried in turns."""
        rounds = self._tried // machines
        return OPEN_SECONDS if machines == 1 else min(OPEN_SECONDS, FIRST_SECONDS * 2.0 ** min(rounds, 8))

    def connected(self) -> None:
        """Note that it has worked."""
        self._tried = 0

    def next(self) -> float:
        """Return the seconds to wait now that it has failed, or ended."""
        self._tried += 1
        if self._clock.monotonic() - self._began > STABLE:
            self._pause = FIRST_RETRY
        pause, self._pause = self._pause, min(LONGEST_RETRY, self._pause * 2)
        return pause * self._rng.uniform(0.5, 1.0)
