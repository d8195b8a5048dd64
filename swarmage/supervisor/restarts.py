"""When a child that ended is started again: a policy, without processes and without a clock of its own."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass

from swarmage.retry import RetryPolicy

INTENSITY = 5
"""More restarts than this within a period are a fault that somebody should look at."""

PERIOD_SECONDS = 60.0
"""The period over which restarts are counted, and the uptime after which a child counts as sound again."""

LONGEST_SECONDS = 5.0
"""A child that ends again and again costs a core a start every five seconds, and one that recovers is soon back."""

_BACKOFF = RetryPolicy(retries=1_000_000_000, first=0.1, longest=LONGEST_SECONDS)


@dataclass(frozen=True, slots=True)
class Restart:
    """What to do about a child that ended.

    Attributes:
        delay: seconds until it is started again.
        alarm: it ends so often that somebody should be told.
    """

    delay: float
    alarm: bool


AT_ONCE = Restart(0.0, alarm=False)


class Restarts:
    """The restarts of one child: exponential backoff with jitter, and an alarm when they come too often.

    Every time is a reading of the same monotonic clock, passed in.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._started_at = 0.0
        self._failures = 0
        self._recent: deque[float] = deque(maxlen=INTENSITY + 1)

    def started(self, now: float) -> None:
        """Note that the child was started."""
        self._started_at = now

    def ended(self, now: float) -> Restart:
        """Note that the child ended, and decide when it starts again."""
        if now - self._started_at >= PERIOD_SECONDS:
            self._failures = 0
            self._recent.clear()
        self._failures += 1
        self._recent.append(now)
        if len(self._recent) > INTENSITY and now - self._recent[0] < PERIOD_SECONDS:
            return Restart(LONGEST_SECONDS, alarm=True)
        delay = _BACKOFF.delay_after(self._failures, self._rng)
        assert delay is not None
        return Restart(min(delay, LONGEST_SECONDS), alarm=False)
