"""What a load test finds: samples, and their medians beside what would be possible."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One answer to one question, as measured.

    Attributes:
        question: what was asked.
        load: under which load.
        unit: of the value, such as ``tasks/s`` or ``ms``.
        value: the answer.
        limit: what would be possible there and then, in the same unit; None where nobody knows.
        by: what the limit is: bare sockets on the same bus, or the ideal.
        round: which of the rounds it was.
    """

    question: str
    load: str
    unit: str
    value: float
    limit: float | None = None
    by: str = ""
    round: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Median:
    """What the samples of one question under one load come to.

    Attributes:
        question: what was asked.
        load: under which load.
        unit: of all values.
        median: of the values.
        lowest: of the values.
        highest: of the values.
        limit: the median of the limits.
        by: what the limit is.
        ratio: the median as a part of the limit; of times it is how many times the limit.
    """

    question: str
    load: str
    unit: str
    median: float
    lowest: float
    highest: float
    limit: float | None
    by: str
    ratio: float | None


def medians(samples: Iterable[Sample]) -> list[Median]:
    """Return the median of each question and load, in the order in which they first appear."""
    groups: dict[tuple[str, str, str], list[Sample]] = {}
    for sample in samples:
        groups.setdefault((sample.question, sample.load, sample.unit), []).append(sample)
    return [_median(group) for group in groups.values()]


def _median(group: list[Sample]) -> Median:
    values = [sample.value for sample in group]
    limits = [sample.limit for sample in group if sample.limit is not None]
    median, limit = statistics.median(values), statistics.median(limits) if limits else None
    return Median(
        question=group[0].question,
        load=group[0].load,
        unit=group[0].unit,
        median=median,
        lowest=min(values),
        highest=max(values),
        limit=limit,
        by=group[0].by,
        ratio=median / limit if limit else None,
    )


def percentile(values: Iterable[float], hundredth: int) -> float:
    """Return the value that so many of a hundred do not exceed; the nearest one that was measured."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * hundredth // 100) - 1)]


def short(value: float) -> str:
    """Write a number with as many digits as mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def in_bytes(size: int) -> str:
    """Write a number of bytes for people."""
    return f"{size >> 10} KB" if size >= 1024 else f"{size} B"
