"""What several buses say of themselves, put together as if they were one.

From: several.  To: your program, `swarmage status`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from swarmage.client.several import Answer

_OF_ONE = {"pid", "port", "uptime"}
"""Numbers of one bus that mean nothing when they are added up."""
_OLDEST = "oldest_age"


def united(answers: Sequence[Answer[dict[str, Any]]]) -> dict[str, Any]:
    """Return the status of a swarm on several buses.

    Figures are added up, for the buses and for queues of the same name. ``buses`` has each bus by itself, with an
    ``error`` in place of figures where it does not answer, and each of the drones says on which ``bus`` it is.

    Raises:
        SwarmageError: none of them answers.
    """
    found = [(answer.bus, answer.value) for answer in answers if answer.value is not None]
    if not found:
        raise next(answer.error for answer in answers if answer.error is not None)
    statuses = [status for _, status in found]
    buses = [
        {"url": str(answer.bus.address), "error": str(answer.error)} if answer.value is None else answer.value["bus"]
        for answer in answers
    ]
    drones = [{**drone, "bus": str(bus.address)} for bus, status in found for drone in status["drones"]]
    named = {"url": " ".join(each["url"] for each in buses)}
    notes = [each["note"] for each in buses if "note" in each]
    if notes:
        named["note"] = "; ".join(notes)
    return {
        "bus": {**named, **_added(status["bus"] for status in statuses)},
        "buses": buses,
        "queues": _queues(queue for status in statuses for queue in status["queues"]),
        "drones": sorted(drones, key=lambda drone: str(drone["id"])),
        "silent_drones": sum(status["silent_drones"] for status in statuses),
        "paused": sorted({name for status in statuses for name in status["paused"]}),
        "concurrency": {name: count for status in statuses for name, count in status["concurrency"].items()},
        "cancelled": max(status["cancelled"] for status in statuses),
    }


def _queues(queues: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one entry for each name."""
    alike: dict[str, list[Mapping[str, Any]]] = {}
    for queue in queues:
        alike.setdefault(queue["name"], []).append(queue)
    return [
        {**group[0], **_added(group), _OLDEST: max((q[_OLDEST] for q in group if q.get(_OLDEST)), default=None)}
        for _, group in sorted(alike.items())
    ]


def _added(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sums of what they count, as far as they tell."""
    sums: dict[str, Any] = {}
    for part in parts:
        for name, value in part.items():
            if type(value) in {int, float} and name not in _OF_ONE:
                sums[name] = sums.get(name, 0) + value
    return sums
