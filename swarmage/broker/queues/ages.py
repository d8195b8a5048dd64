"""How old messages are, told from their numbers: now and then the time is noted at which the next numbers are given.

That costs nothing for each message. An age may be too high: by a second or so, and a two-hundredth of itself.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise

from swarmage.broker.storage.notes import ClockRow

_SPACING_MS = 1_000
_PART = 200  # of a time's age may lie between it and the next one, which a year needs some 3,000 times for
MOST = 4_096
"""Times that are kept."""


class Ages:
    """Numbers, and the times from which on they were given."""

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._times: list[int] = []
        self._past: list[int] = []
        self._written = 0  # the highest number whose time is in the store
        self._next = 0
        self._idle = False  # no number was given since the last time that was noted

    def load(self, rows: Iterable[ClockRow]) -> None:
        """Take over what a store holds."""
        for number, at in sorted(rows):
            self._numbers.append(number)
            self._times.append(at)
            self._written = number

    def tick(self, number: int, wall_ms: int) -> None:
        """Note the time, if there is a need to.

        Args:
            number: drawn for this, so that later messages have higher ones.
            wall_ms: the time.
        """
        quiet, self._next = number == self._next, number + 1
        if self._idle and quiet:
            self._times[-1] = wall_ms
        elif not self._times or not 0 <= wall_ms - self._times[-1] < _SPACING_MS:
            self._numbers.append(number)
            self._times.append(wall_ms)
            self._idle = True
        else:
            self._idle = False

    @property
    def crowded(self) -> bool:
        """Whether `thin` has something to do."""
        return len(self._numbers) > MOST

    def thin(self, oldest: int) -> None:
        """Drop times from before the oldest message there is, and of the others those that are close for their age."""
        before = self._numbers
        first = max(0, bisect_right(before, oldest) - 1)
        rows = list(map(ClockRow, before[first:], self._times[first:]))
        kept = rows[:1]
        for row, following in pairwise(rows[1:]):
            if following.at - kept[-1].at > (rows[-1].at - following.at) // _PART:
                kept.append(row)
        kept += rows[1:][-1:]
        if len(kept) > MOST * 3 // 4:  # many years, or a clock that was set
            del kept[1 : len(kept) // 2 : 2]
        self._numbers, self._times = [row.number for row in kept], [row.at for row in kept]
        staying = set(self._numbers)
        self._past += [number for number in before if number <= self._written and number not in staying]

    @property
    def pending(self) -> bool:
        """Whether there is something to store with the next messages."""
        return bool(self._numbers) and self._numbers[-1] > self._written

    def to_store(self) -> tuple[list[ClockRow], list[int]]:
        """Return the times to be stored, and the numbers whose times are to be deleted; both count as done then."""
        start = bisect_right(self._numbers, self._written)
        rows = list(map(ClockRow, self._numbers[start:], self._times[start:]))
        past, self._past = self._past, []
        self._written = self._numbers[-1]
        self._idle = False  # what is stored is not changed any more
        return rows, past

    def not_stored(self, rows: Iterable[ClockRow]) -> None:
        """Take note that these could not be stored."""
        self._written = min([self._written, *(row.number - 1 for row in rows)])

    def since(self, number: int) -> int | None:
        """Return since when a message of this number has been there, in wall-clock milliseconds.

        One that is older than all that is known counts from there; None where nothing is known.
        """
        if not self._times:
            return None
        return self._times[max(0, bisect_right(self._numbers, number) - 1)]
