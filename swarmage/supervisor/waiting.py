"""How a supervisor waits: for what happens next, or for the first of its deadlines."""

from __future__ import annotations

from collections.abc import Iterable
from queue import Empty, SimpleQueue

from swarmage.clock import Clock
from swarmage.supervisor.child_process import DeadlinePassed, Event

LOOK_SECONDS = 0.25
"""A wait without end may miss a signal: two that come together may both be taken by another thread than the main one,
which runs their handlers only when it wakes."""


def next_event(events: SimpleQueue[Event], due: Iterable[float | None], clock: Clock) -> Event:
    """Return what happens next; `DeadlinePassed` when one of the times, on the monotonic clock, comes first."""
    deadlines = [when for when in due if when is not None]
    while True:
        left = min(deadlines) - clock.monotonic() if deadlines else LOOK_SECONDS
        try:
            return events.get(timeout=min(LOOK_SECONDS, max(0.0, left)))
        except Empty:
            if left <= LOOK_SECONDS and deadlines:
                return DeadlinePassed()
