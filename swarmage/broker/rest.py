"""Acks that nobody waits for go to the disk together with something else, or a little later.

From: hub.  To: journal.

A sync costs the same for one change as for many, and who works on short tasks has one for each ack. Until it is on the
disk, an ack only spares a delivery after a crash; a receipt, or anything else that is stored, takes it along at once.
"""

from __future__ import annotations

from swarmage.broker.journal import Journal
from swarmage.clock import Clock


class Rest:
    """Says when the journal is flushed.

    Attributes:
        seconds: how long an ack may rest; 0 for not at all.
        ends: when acks have rested enough, on the monotonic clock; None where none do.
    """

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self.seconds = 0.0
        self.ends: float | None = None
        self._journal = journal
        self._clock = clock

    @property
    def over(self) -> bool:
        """Whether something is to be stored now."""
        journal = self._journal
        return journal.collecting and (journal.collected.pressing or not self.seconds or self._is_past)

    @property
    def _is_past(self) -> bool:
        return self.ends is not None and self.ends <= self._clock.monotonic()

    def flush(self) -> None:
        """Have stored what is collected, or let it rest."""
        if self.over:
            self._journal.flush()
        elif self.ends is None and self._journal.collecting:
            self.ends = self._clock.monotonic() + self.seconds
        if self._is_past:
            self.ends = None
