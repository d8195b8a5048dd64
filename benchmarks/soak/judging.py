"""Whether a series of figures grows, by how much in an hour, and whether that is too much.

The slope is Theil and Sen's: the median of the slopes of all pairs, so that a few figures that are far off change
nothing. What grows by less than its floor from the begin to the end is noise, however steep it looks in a short run.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

HOUR = 3600.0
FEWEST = 6
"""Figures of which a slope can be told."""
MOST = 400
"""Figures whose pairs are looked at; of more, medians of neighbours are taken."""


class Point(NamedTuple):
    """One figure.

    Attributes:
        time: when, in seconds.
        value: how much.
    """

    time: float
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """By how much something may grow.

    Attributes:
        per_hour: in an hour.
        floor: in the whole run, however short it is.
        unit: of both.
    """

    per_hour: float
    floor: float
    unit: str

    def allowed(self, seconds: float, slack: float) -> float:
        """Return the growth that is allowed in so many seconds."""
        return slack * max(self.floor, self.per_hour * seconds / HOUR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of one series.

    Attributes:
        name: of what.
        unit: of the figures.
        first: the median of the first third.
        last: the median of the last third.
        per_hour: the slope, as growth in an hour.
        grown: the slope, as growth from the begin to the end.
        allowed: how much that may be.
        seconds: from the begin to the end.
    """

    name: str
    unit: str
    first: float
    last: float
    per_hour: float
    grown: float
    allowed: float
    seconds: float

    @property
    def good(self) -> bool:
        """Whether it has not grown by more than is allowed."""
        return self.grown <= self.allowed

    def __str__(self) -> str:
        return (
            f"{self.name} grows by {self.per_hour:.1f} {self.unit} an hour: from {self.first:.1f} to {self.last:.1f}"
            f" {self.unit} in {self.seconds / 60:.1f} minutes, in which {self.allowed:.1f} {self.unit} are allowed"
        )


def slope(points: Sequence[Point]) -> float:
    """Return by how much a series grows in a second.

    Raises:
        ValueError: there are too few figures.
    """
    if len(points) < FEWEST:
        raise ValueError(f"{len(points)} figures tell no slope, {FEWEST} do: let it run longer, or look more often")
    return statistics.median(
        (later.value - earlier.value) / (later.time - earlier.time)
        for earlier, later in combinations(thinned(points), 2)
    )


def thinned(points: Sequence[Point]) -> list[Point]:
    """Return no more than `MOST` points: where there are more, the medians of as many neighbours as it takes."""
    size = -(-len(points) // MOST)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [
        Point(statistics.median(each.time for each in group), statistics.median(each.value for each in group))
        for group in groups
    ]


def judge(name: str, points: Sequence[Point], limit: Limit, slack: float = 1.0) -> Verdict:
    """Return what is to be said of one series.

    Args:
        name: of what.
        points: after the warm-up, in their order.
        limit: by how much it may grow.
        slack: how many times that is allowed.

    Raises:
        ValueError: there are too few figures.
    """
    rate = slope(points)
    seconds = points[-1].time - points[0].time
    third = len(points) // 3
    return Verdict(
        name=name,
        unit=limit.unit,
        first=statistics.median(each.value for each in points[:third]),
        last=statistics.median(each.value for each in points[-third:]),
        per_hour=rate * HOUR,
        grown=rate * seconds,
        allowed=limit.allowed(seconds, slack),
        seconds=seconds,
    )


def judge_all(
    series: Mapping[str, Sequence[Point]], limits: Mapping[str, Limit], warm_up: float, slack: float = 1.0
) -> list[Verdict]:
    """Return what is to be said of all series.

    Args:
        series: by their names, "who: what".
        limits: by what it is.
        warm_up: seconds, on the clock of the points, before which figures do not count.
        slack: how many times the limits are allowed.

    Raises:
        ValueError: one of them has too few figures; the message names it.
    """
    verdicts = []
    for name, points in series.items():
        after = [point for point in points if point.time >= warm_up]
        try:
            verdicts.append(judge(name, after, limits[name.rpartition(": ")[2]], slack))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    return verdicts
