"""How many unacknowledged tasks of one class a drone may hold.

By default what its workers can perform at once, so that no task waits behind a busy worker while another drone is idle.
Where tasks prove short, that is far too little: a worker would wait for the bus after each. Prefetch is fixed by
SUBSCRIBE, so credit grows by a second subscription to the same queue, and shrinks by dropping it.
"""

from __future__ import annotations

EXTRA = 1000
"""Tasks: about 20 ms of no-op tasks. Fewer are performed before the bus's next burst arrives, more only take memory."""

SHORT = 0.002
"""Seconds: below it the way to the bus and back costs more than the task."""

LONG = 0.010
"""Seconds: above it the extra tasks would keep a worker busy for seconds, and another drone's workers idle."""

ENOUGH = 32
"""Runs to look at before a judgement."""


class Credit:
    """Judges the runs of one task class. Owned by the drone's thread."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.extra = False
        self._mean = 0.0
        self._seen = 0

    def observe(self, seconds: float) -> None:
        """Take note of one run."""
        self._seen += 1
        weight = 1.0 / min(self._seen, ENOUGH)
        self._mean += (seconds - self._mean) * weight

    def wanted(self, *, stalled: bool = False) -> bool:
        """Say whether the extra subscription is worth having.

        Args:
            stalled: tasks are waiting and none has ended for a while: the mean is old news.
        """
        if stalled or self._mean > LONG:
            self._seen = 0  # look at fresh runs before growing again
            return False
        if self._mean < SHORT and self._seen >= ENOUGH:
            return True
        return self.extra
