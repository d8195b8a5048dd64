"""How many unacknowledged tasks of one class a drone may hold.

At first what its workers can perform at once, so that no task waits behind a busy worker while another drone is idle.
But then a worker waits for the bus after each task, and where tasks prove short that is long. So the shorter they are
the more are taken ahead of the workers, less than they perform in 0.2 s: what does not move for 0.1 s is given back
(`sharing`). Prefetch is fixed by SUBSCRIBE, so credit grows by a second subscription to the same queue, and shrinks by
dropping it.
"""

from __future__ import annotations

from typing import NamedTuple

MOST = 1000
"""Tasks: about 20 ms of no-op tasks. Fewer are performed before the bus's next burst arrives, more only take memory."""

ENOUGH = 32
"""Runs to look at before a judgement."""


class Extra(NamedTuple):
    """Credit beyond what the workers can perform at once.

    Attributes:
        ahead: tasks for each worker.
        below: seconds that a task takes at most at the mean, for this to be taken.
        until: seconds above which it is given up again; well above the others, or it would come and go.
    """

    ahead: int
    below: float
    until: float

    def tasks(self, workers: int) -> int:
        """Return for how many tasks it is."""
        return min(MOST, self.ahead * workers)


EXTRAS = (Extra(2, 0.025, 0.050), Extra(8, 0.008, 0.020), Extra(MOST, 0.002, 0.010))
"""One of them is taken at a time. The way to the bus and back takes 3 ms, and 30 in one of a hundred cases
(docs/decisions/0023): a worker that has two tasks of 25 ms ahead, or eight of 8 ms, does not wait for it."""


class Credit:
    """Judges the runs of one task class. Owned by the drone's thread.

    Attributes:
        workers: how many can perform it.
        held: what is taken beyond that, None for nothing.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.held: Extra | None = None
        self._mean = 0.0
        self._seen = 0

    @property
    def short(self) -> bool:
        """Whether tasks have proved so short that far more of them are taken than can be performed at once."""
        return self.held is EXTRAS[-1]

    def observe(self, seconds: float) -> None:
        """Take note of one run."""
        self._seen += 1
        weight = 1.0 / min(self._seen, ENOUGH)
        self._mean += (seconds - self._mean) * weight

    def wanted(self, *, stalled: bool = False) -> Extra | None:
        """Return which extra is worth having.

        Args:
            stalled: tasks are waiting and none has ended for a while: the mean is old news.
        """
        if stalled or self._mean > EXTRAS[0].until:
            self._seen = 0  # look at fresh runs before growing again
            return None
        most = self.held.ahead if self.held is not None else 0
        earned = self._seen >= ENOUGH
        for extra in reversed(EXTRAS):
            if (earned and self._mean < extra.below) or (extra.ahead <= most and self._mean <= extra.until):
                return extra
        return None
