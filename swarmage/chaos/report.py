"""What people and scripts get to read of a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from swarmage.chaos.driver import Result
from swarmage.chaos.kinds import KINDS

MOST = 5
"""Lost tasks whose timelines are shown; the rest are only counted."""
NEAR = 3.0
"""Seconds around a task's own events in which faults belong to its timeline."""


def as_dict(result: Result, folder: Path | None) -> dict[str, Any]:
    """Return a run as JSON can carry it."""
    found = result.findings
    return {
        "seed": result.plan.seed,
        "tasks": len(result.plan.tasks),
        "good": found.good,
        "ok": found.ok,
        "lost": len(found.lost),
        "duplicated": len(found.duplicated),
        "extra": found.extra,
        "in_flight": found.in_flight,
        "unexplained": len(found.unexplained),
        "recovered": len(found.recovered),
        "unexpected": found.unexpected,
        "unanswered": {str(number): how for number, how in found.unanswered.items()},
        "miscounted": found.miscounted,
        "unburied": found.unburied,
        "stuck": found.stuck,
        "unattempted": found.unattempted,
        "attempted": found.attempted,
        "confirmed": found.confirmed,
        "seconds": round(result.seconds, 1),
        "faults": [[round(each.time - result.began, 3), each.fault, each.text] for each in _struck(result)],
        "timelines": {str(number): timeline(result, number) for number in [*found.lost, *found.unexplained][:MOST]},
        "folder": None if folder is None else str(folder),
    }


def as_lines(result: Result) -> Iterator[str]:
    """Yield a run as lines of text."""
    found = result.findings
    yield (
        f"seed {result.plan.seed}: {found.attempted} tasks, {found.confirmed} confirmed, {len(_struck(result))} faults,"
        f" last task done after {result.seconds:.1f} s"
    )
    yield f"  ok         {found.ok}"
    yield f"  lost       {len(found.lost)}"
    yield f"  duplicated {len(found.duplicated)} (in flight at the faults: {found.in_flight})"
    yield f"  recovered  {len(found.recovered)}"
    yield f"  unexpected {len(found.unexpected)}"
    for text in found.unexpected[:MOST]:
        yield f"    {text}"
    for name, what in (
        ("performed again without a fault", found.unexplained),
        ("unanswered", [f"{number}: {how}" for number, how in found.unanswered.items()]),
        ("miscounted", [f"{key}: {how}" for key, how in found.miscounted.items()]),
        ("forged or garbled, and not in the dead letters", [found.unburied] if found.unburied else []),
        ("not ended in time", found.stuck),
        ("never inserted, as the run came to a standstill", [found.unattempted] if found.unattempted else []),
        ("the client could not", result.history.could_not),
        ("processes that could not be ended", result.left),
    ):
        if what:
            yield f"  {name}: {len(what)}"
            yield from (f"    {each}" for each in list(what)[:MOST])
    for number in [*found.lost, *found.unexplained][:MOST]:
        yield f"timeline of task {number}, {result.plan.tasks[number].kind}:"
        yield from (f"  {line}" for line in timeline(result, number))


def _struck(result: Result) -> list[Any]:
    return [each for each in result.history.struck if each.text != "..."]


def timeline(result: Result, number: int) -> list[str]:
    """Return what happened to one task and around it, one line each, in order."""
    history = result.history
    own = [
        (each.time, f"{each.what} by client {each.pid}{f': {each.text}' if each.text else ''}")
        for each in history.inserts
        if each.first <= number < each.end
    ]
    own += [
        (
            each.time,
            f"{'done' if each.done else 'begun'} {each.mark}, attempt {each.attempt}, {each.where} of {each.pid}",
        )
        for each in history.performed.get(number, ())
    ]
    own += [
        (each.time, f"seen as a dead letter, {each.reason}: {each.text}") for each in history.buried.get(number, ())
    ]
    moments = [time for time, _ in own]
    around = [
        (each.time, f"** {each.text}")
        for each in _struck(result)
        if any(abs(each.time - moment) < NEAR for moment in moments)
    ]
    marks = {each.mark for each in history.performed.get(number, ()) if each.done}
    lacks = [mark for mark in KINDS[result.plan.tasks[number].kind].marks if mark not in marks]
    lines = [f"{time - result.began:9.3f} s  {text}" for time, text in sorted(own + around)]
    return lines + ([f"           never: {', '.join(lacks)}"] if lacks else [])
