"""What is done to one peer under one fault, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much, and how often.

    Attributes:
        tasks: how many.
        seconds: how long each takes.
        strikes: how often the fault strikes.
        drain: seconds without any news after which what is missing counts as not done.
    """

    tasks: int
    seconds: float
    strikes: int
    drain: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it.

    Attributes:
        peer: its title.
        fault: its name.
        confirmed: tasks whose insert returned.
        done: how many of them were done.
        lost: those that were not done, and that its bus does not have any more.
        stranded: those that were not done, and that its bus still has: nobody performs them.
        duplicated: tasks that were done more than once.
        seconds: from the first insert to the end of the last task.
    """

    peer: str
    fault: str
    confirmed: int
    done: int
    lost: int
    stranded: int
    duplicated: int
    seconds: float
