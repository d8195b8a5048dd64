"""How many messages came and went, and how fast of late."""

from __future__ import annotations

PERIOD_SECONDS = 5.0
"""Rates are those of the period that runs, and of the one before."""


class Tally:
    """The counts of one queue, or of the whole bus.

    Attributes:
        came: messages that came in.
        went: deliveries.
        returned: deliveries that were given back.
        expired: messages nobody wanted in time.
        dead: messages that were rejected to the dead letters.
        period: in which period it last moved on, counted from the clock's beginning.
    """

    __slots__ = ("_before", "_began", "came", "dead", "expired", "period", "returned", "went")

    def __init__(self) -> None:
        self.came = self.went = self.returned = self.expired = self.dead = 0
        self.period = 0
        self._began = self._before = (0, 0)

    def move_on(self, period: int) -> None:
        """Begin another period; to be called before anything of it is counted."""
        now = (self.came, self.went)
        # After a pause, what was counted before it is of no period that matters.
        self._before = self._began if self.period == period - 1 else now
        self._began = now
        self.period = period

    def rates(self, now: float, since: float) -> tuple[float, float]:
        """Return how many came and went in a second, over the last five to ten, or fewer if it began ``since`` then."""
        period = period_of(now)
        if period != self.period:
            self.move_on(period)
        seconds = max(1.0, min(now - (period - 1) * PERIOD_SECONDS, now - since))
        came, went = self._before
        return round((self.came - came) / seconds, 1), round((self.went - went) / seconds, 1)

    def add(self, other: Tally) -> None:
        """Take over the counts of another one that has ended, in which nothing is in flight."""
        self.went += other.went
        self.returned += other.returned
        self.expired += other.expired
        self.dead += other.dead

    def acked(self, in_flight: int) -> int:
        """Return how many deliveries ended well, where so many have not ended yet."""
        return self.went - self.returned - self.dead - in_flight


def period_of(now: float) -> int:
    """Return the number of a moment's period."""
    return int(now // PERIOD_SECONDS)
