"""What the load tests of the bus found: samples, and the table of their medians."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from rich.table import Table

from benchmarks.servers import Server
from swarmage.bench.process_cost import cost_at_rest

EMBEDDED, OTHER = "embedded", "RabbitMQ"
MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One answer of one bus to one question, as measured.

    Attributes:
        bus: whose answer it is.
        question: what was asked.
        load: under which load, for people.
        scale: the same as a number.
        figures: what the table shows, by name and unit.
        raw: what the figures were made of.
        run: which of the runs it was; set by who counts them.
    """

    bus: str
    question: str
    load: str
    scale: int
    figures: dict[str, float]
    raw: dict[str, float | list[float]] = field(default_factory=dict)
    run: int = 0


def measure(
    server: Server, question: str, load: str, scale: int, messages: int, work: Callable[[], float]
) -> Sample:  # fmt: skip
    """Do the work, which returns its seconds, and note what it cost the server, with all that it put off."""
    before = cost_at_rest(server.pid)
    seconds = work()
    used = cost_at_rest(server.pid).since(before)
    return Sample(
        bus=server.name,
        question=question,
        load=load,
        scale=scale,
        figures={
            "messages/s": messages / seconds,
            "CPU µs/message": used.cpu_seconds / messages * 1e6,
            "disk B/message": used.written_bytes / messages,
        },
        raw={
            "messages": messages,
            "seconds": seconds,
            "cpu_seconds": used.cpu_seconds,
            "written_bytes": used.written_bytes,
        },
    )


def table(samples: Iterable[Sample], title: str) -> Table:
    """Draw each figure's median, with the lowest and the highest where there were several runs."""
    drawn = Table(title=title, title_justify="left")
    for heading in ("question", "load", "figure"):
        drawn.add_column(heading)
    for heading in (EMBEDDED, OTHER, "ratio"):
        drawn.add_column(heading, justify="right", no_wrap=True)
    last = ""
    for question, load, figure, values in _rows(samples):
        ours, theirs = values.get(EMBEDDED, []), values.get(OTHER, [])
        drawn.add_row(
            "" if question + load == last else question,
            "" if question + load == last else load,
            figure,
            _spread(ours),
            _spread(theirs),
            _ratio(ours, theirs),
        )
        last = question + load
    drawn.caption = "ratio: embedded / RabbitMQ; above 1 is better for rates, below 1 for everything else"
    return drawn


def _rows(samples: Iterable[Sample]) -> Iterator[tuple[str, str, str, dict[str, list[float]]]]:
    """Yield each figure of each question with the values of each bus, in the order of their first appearance."""
    found: dict[tuple[str, int, str], dict[str, dict[str, list[float]]]] = {}
    for sample in samples:
        figures = found.setdefault((sample.question, sample.scale, sample.load), {})
        for name, value in sample.figures.items():
            figures.setdefault(name, {}).setdefault(sample.bus, []).append(value)
    for (question, _, load), figures in found.items():
        for name, values in figures.items():
            yield question, load, name, values


def _ratio(ours: list[float], theirs: list[float]) -> str:
    """Write how much of theirs ours is, or nothing where theirs is too little to compare with."""
    if not ours or not theirs or statistics.median(theirs) < 0.01:
        return ""
    return _short(statistics.median(ours) / statistics.median(theirs))


def _spread(values: list[float]) -> str:
    if not values:
        return ""
    middle = _short(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({_short(min(values))} to {_short(max(values))})"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
