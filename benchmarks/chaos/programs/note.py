"""What all programs have in common: the task, which writes down that it begins and that it is done."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

URL = os.environ.get("CHAOS_URL", "")
LATE = os.environ.get("CHAOS_LATE") == "1"
QUEUE = "chaos"
SLOTS = 4
"""Tasks that are performed at once."""
PAUSE_SECONDS = 0.1
"""Seconds until the next insert when one has failed."""


def write(what: str, number: int) -> None:
    """Append one line, at once, so that nothing that kills this process takes it back."""
    line = f"{time.monotonic():.6f} {what} {number} {os.getpid()}\n".encode()
    handle = os.open(os.environ["CHAOS_LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, line)
    os.close(handle)


def seconds() -> float:
    """Return how long a task takes."""
    return float(os.environ["CHAOS_SECONDS"])


def perform(number: int) -> None:
    """Be the task."""
    write("begun", number)
    time.sleep(seconds())
    write("done", number)


def run(insert: Callable[[int], object], left: Callable[[], int]) -> None:
    """Do what argv says: insert tasks, each confirmed before the next one, or tell how many the bus still has."""
    if sys.argv[1] == "left":
        print(left())
        return
    for number in numbers():
        write("attempted", number)
        try:
            insert(number)
        except Exception as error:  # noqa: BLE001 - of whatever type: the bus may just be gone
            failed(number, error)
            time.sleep(PAUSE_SECONDS)
        else:
            write("confirmed", number)


def numbers() -> range:
    """Return which tasks argv says to insert."""
    return range(int(sys.argv[2]), int(sys.argv[3]))


def failed(number: int, error: Exception) -> None:
    """Say that an insert did not return, which is therefore not counted on."""
    print(f"{number}: {type(error).__name__}: {error}", file=sys.stderr)
