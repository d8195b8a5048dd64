"""What the load tests of the bus found: samples, the table of their medians, and the machine they were taken on."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.table import Table

from benchmarks.process_cost import cost_at_rest
from benchmarks.servers import Server

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


def facts(data: Path) -> dict[str, str]:
    """Return what one must know about the machine to compare with another, and how busy it was."""
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "CPU": _line(Path("/proc/cpuinfo"), "model name") or platform.machine(),
        "memory": _line(Path("/proc/meminfo"), "MemTotal"),
        "kernel": f"{platform.system()} {platform.release()}",
        "file system": _file_system(data),
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "load average before": f"{os.getloadavg()[0]:.2f}",
    }


def _line(path: Path, name: str) -> str:
    for line in path.read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _file_system(data: Path) -> str:
    """Return the type of the file system that holds the data: on one in memory, syncing costs nothing."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    there = [(len(point), kind) for point, kind in mounts if data.resolve().is_relative_to(point)]
    return max(there)[1] if there else "unknown"
