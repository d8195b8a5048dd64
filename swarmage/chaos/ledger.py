"""One file in which all processes of a run write down what they did: the truth that does not depend on the bus.

Every line is one append, so that no lock is needed and a process that is killed leaves whole lines. Times are those of
the monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from swarmage.clock import SYSTEM_CLOCK

LEDGER_VARIABLE = "SWARMAGE_CHAOS_LEDGER"
"""Names the file to all processes of a run, and so marks them as belonging to it."""

_END = " ."
"""How a whole line ends: the system may cut an append of a process that is killed where two pages meet."""


class Entry(NamedTuple):
    """One line.

    Attributes:
        time: when, seconds on the monotonic clock.
        pid: who wrote it.
        what: begun, done, attempted, confirmed and so on.
        words: the rest.
    """

    time: float
    pid: int
    what: str
    words: tuple[str, ...]


class Ledger:
    """Writes lines, and reads those of everybody that are new."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        self._read = 0
        self._rest = b""

    def write(self, what: str, *words: object) -> None:
        """Append one line; a word must hold no white space, but for the last."""
        text = " ".join(map(str, words)).replace("\n", " ")
        line = f"\n{SYSTEM_CLOCK.monotonic():.6f} {os.getpid()} {what} {text}{_END}\n"
        os.write(self._handle, line.encode())  # the first line end sets it apart from one that was cut

    def news(self) -> list[Entry]:
        """Return what was written since this was asked before."""
        entries = []
        while data := os.pread(self._handle, 1 << 20, self._read):
            self._read += len(data)
            *lines, self._rest = (self._rest + data).split(b"\n")
            entries += [entry for line in lines if (entry := _entry(line.decode(errors="replace"))) is not None]
        return entries

    def close(self) -> None:
        """Give the file back."""
        os.close(self._handle)


def _entry(line: str) -> Entry | None:
    if not line.endswith(_END):
        return None
    time, pid, what, *words = line.removesuffix(_END).split()
    return Entry(float(time), int(pid), what, tuple(words))


def own_ledger() -> Ledger:
    """Return the ledger of the run that this process belongs to."""
    return Ledger(Path(os.environ[LEDGER_VARIABLE]))
