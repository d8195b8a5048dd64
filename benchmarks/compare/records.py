"""What the comparison finds, as it is kept: every sample, who took part, and on which machine."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

LATENCIES = ("p50", "p95", "p99")
DRAIN = "drain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One answer of one peer to one question.

    Attributes:
        name: of the peer.
        bus: what its tasks waited on.
        question: what was asked: a way to insert, ``drain``, or a percentile of the latency.
        unit: of the value: ``tasks/s`` or ``ms``.
        value: the answer.
        round: which of the rounds it was.
        tasks: how many tasks the answer comes from.
        raw: what the value was made of: seconds, or each latency in microseconds.
    """

    name: str
    bus: str
    question: str
    unit: str
    value: float
    round: int
    tasks: int
    raw: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One run.

    Attributes:
        machine: what one must know of it.
        plan: how much of what was asked.
        versions: of everything that took part.
        records: what was found.
        failures: what a peer said instead of an answer, by its title.
    """

    machine: Mapping[str, str]
    plan: Mapping[str, float | str]
    versions: Mapping[str, str]
    records: Sequence[Record]
    failures: Mapping[str, str] = field(default_factory=dict)

    def values(self, name: str, bus: str, question: str) -> list[float]:
        """Return the answers of a peer in all rounds."""
        return [r.value for r in self.records if (r.name, r.bus, r.question) == (name, bus, question)]

    def median(self, name: str, bus: str, question: str) -> float | None:
        """Return their median, None where there are none."""
        values = self.values(name, bus, question)
        return statistics.median(values) if values else None


def save(found: Comparison, path: Path) -> None:
    """Write all of it, one record a line, so that two runs can be compared."""
    whole = asdict(found)
    records = whole.pop("records")
    head = json.dumps(whole, indent=1)[:-2]
    lines = ",\n".join(f"  {json.dumps(record, separators=(',', ':'))}" for record in records)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{head},\n "records": [\n{lines}\n ]\n}}\n')


def load(path: Path) -> Comparison:
    """Read what `save` wrote."""
    whole = json.loads(path.read_text())
    records = [Record(**record) for record in whole.pop("records")]
    return Comparison(records=records, **whole)


def rates(tasks: int, seconds: float) -> float:
    """Return tasks a second; an answer without a time is no answer.

    Raises:
        ValueError: no time has passed.
    """
    if not seconds > 0:
        raise ValueError(f"{tasks} tasks in {seconds} s are no rate; ask for more tasks")
    return tasks / seconds


def buses(found: Iterable[Record]) -> list[str]:
    """Return all buses in the order of their first appearance."""
    return list(dict.fromkeys(record.bus for record in found))
