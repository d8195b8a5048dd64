"""What the programs of one trial have written down, in a file to which all of them append."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Line(NamedTuple):
    """One line of what the programs write down.

    Attributes:
        time: when.
        what: attempted, confirmed, begun or done.
        number: of the task; 0 is the one with which all is warmed up.
        pid: of the process.
    """

    time: float
    what: str
    number: int
    pid: int


class Ledger:
    """The file; one that is not there yet has no lines."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self) -> list[Line]:
        """Return all of them, in the order in which they were written."""
        if not self.path.exists():
            return []
        rows = (line.split() for line in self.path.read_text().splitlines())
        return [Line(float(when), what, int(number), int(pid)) for when, what, number, pid in rows]

    def numbers(self, what: str) -> list[int]:
        """Return of which tasks this is written, as often as it is."""
        return [line.number for line in self.lines() if line.what == what]
