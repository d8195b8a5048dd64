"""When a failed task is tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass

from swarmage.errors import ConfigError
from swarmage.task import LONGEST_DELAY


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Exponential backoff with jitter.

    The wait before attempt n+1 is ``first * 2**(n-1)`` seconds, at most ``longest``, spread by ``jitter`` to both
    sides, so that tasks that failed together do not come back together.

    Attributes:
        retries: how many more times after the first; 0 = never again.
        first: seconds before the first retry.
        longest: seconds; no wait is longer.
        jitter: share of the wait, 0 to 1.
    """

    retries: int = 3
    first: float = 1.0
    longest: float = 600.0
    jitter: float = 0.25

    def __post_init__(self) -> None:
        if not isinstance(self.retries, int) or self.retries < 0:
            raise ConfigError(f"retries must be a whole number, 0 or more: {self.retries!r}")
        if not 0 <= self.first <= self.longest <= LONGEST_DELAY / 2:
            raise ConfigError(
                f"backoff must be 0 <= first <= longest <= five years, in seconds: {self.first!r}, {self.longest!r}"
            )
        if not 0 <= self.jitter <= 1:
            raise ConfigError(f"jitter must be between 0 and 1: {self.jitter!r}")

    def delay_after(self, attempt: int, rng: random.Random) -> float | None:
        """Return the seconds to wait after this attempt failed, or None when it was the last."""
        if attempt > self.retries:
            return None
        wait = min(self.longest, self.first * 2.0 ** min(attempt - 1, 60))
        return wait * (1.0 + self.jitter * rng.uniform(-1.0, 1.0))
