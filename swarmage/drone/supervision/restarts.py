"""When what has died is started again: a policy, without actors and without a clock of its own."""

from __future__ import annotations

import random
from collections import deque

from swarmage.retry import RetryPolicy

LONGEST_SECONDS = 5.0
"""No wait is longer: what others it needs may be back soon."""

SOUND_SECONDS = 60.0
"""What has not died for so long has no failures to answer for, where a Supervisor's period is not shorter."""

_BACKOFF = RetryPolicy(retries=0, first=0.1, longest=LONGEST_SECONDS)


class Backoff:
    """How long one child waits: longer each time that it dies, with jitter."""

    def __init__(self) -> None:
        self._failures = 0
        self._last = 0.0

    def after(self, now: float, sound: float, rng: random.Random) -> float:
        """Note that the child has died; return the seconds until it is started again.

        Args:
            now: a reading of a monotonic clock.
            sound: seconds after which an earlier death counts no more.
            rng: spreads restarts.
        """
        if self._failures and now - self._last >= sound:
            self._failures = 0
        self._failures += 1
        self._last = now
        return _BACKOFF.wait_after(self._failures, rng)


class Intensity:
    """How many restarts are borne within a period.

    Args:
        most: so many; None for any number.
        period: seconds.
    """

    def __init__(self, most: int | None, period: float) -> None:
        self.most = most
        self.period = period
        self._recent: deque[float] = deque()

    def bears(self, now: float) -> bool:
        """Note one more restart; say whether it is not too many."""
        if self.most is None:
            return True
        recent = self._recent
        recent.append(now)
        while now - recent[0] >= self.period:
            recent.popleft()
        return len(recent) <= self.most
