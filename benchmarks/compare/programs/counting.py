"""What the task of every program does: it counts itself, in a file that the program looks into.

Each thread that performs has a file of its own, in memory as well, so that counting costs less than a microsecond and
no two of them meet. Only what Python brings is imported here: each program runs where its peer is installed, and
nothing else.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
import time
from pathlib import Path
from typing import NamedTuple

FOLDER = "BENCH_COUNT"
"""The environment variable with the folder of those files, while tasks are performed."""

_FORM = struct.Struct("=Qdd")
_BEGUN = "begun"


class Counted(NamedTuple):
    """What was performed: how many tasks, and when the first and the last one, by the monotonic clock."""

    tasks: int
    first: float
    last: float


class _Slot(threading.local):
    """The file of this thread."""

    def __init__(self) -> None:
        path = Path(os.environ[FOLDER]) / f"{os.getpid()}-{threading.get_ident()}.count"
        with path.open("wb+") as file:
            file.truncate(_FORM.size)
            self.memory = mmap.mmap(file.fileno(), _FORM.size)
        self.tasks = 0
        self.first = time.monotonic()


_slot: list[_Slot] = []


def count() -> None:
    """Count a task of this thread as performed."""
    if not _slot:
        _slot.append(_Slot())  # not before the first task: processes that perform are forked from others that do not
    slot = _slot[0]
    slot.tasks += 1
    _FORM.pack_into(slot.memory, 0, slot.tasks, slot.first, time.monotonic())


def counted(folder: Path) -> Counted:
    """Return what all threads have counted."""
    found = []
    for path in folder.glob("*.count"):
        data = path.read_bytes()
        if len(data) == _FORM.size:
            found.append(Counted(*_FORM.unpack(data)))
    found = [each for each in found if each.tasks]
    if not found:
        return Counted(0, 0.0, 0.0)
    return Counted(sum(e.tasks for e in found), min(e.first for e in found), max(e.last for e in found))


def note(due: float) -> None:
    """Write down how late a task begins that was due then, in one write, which no other one comes between."""
    with (Path(os.environ[FOLDER]) / _BEGUN).open("ab", buffering=0) as file:
        file.write(b"%d\n" % round((time.monotonic() - due) * 1e6))


def noted(folder: Path) -> list[int]:
    """Return the microseconds that were written down."""
    path = folder / _BEGUN
    return [int(line) for line in path.read_bytes().split()] if path.exists() else []
