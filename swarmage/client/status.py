"""What the bus and the drones say of themselves.

From: bus, drone.presence.  To: your program, `swarmage status`.
"""

from __future__ import annotations

import sys
from typing import Any

from swarmage.bus import frames
from swarmage.bus.bus import Bus
from swarmage.client.asking import Asking
from swarmage.client.orders import read_standing
from swarmage.clock import Clock
from swarmage.errors import BusRefused, ReplyTimeout, WireError
from swarmage.wire.envelope import Wire
from swarmage.wire.names import CONTROL, STATE, STATISTICS, kind_in, reply_destination, task_class_of
from swarmage.wire.signing import HEADER

ANSWER = 2.0
"""Seconds a drone has to answer a roll call: it does so at once, unless its machine is at its limit."""
UNKNOWN_ANSWER = 1.0
"""Seconds to listen where nobody knows how many drones there are."""


def status(bus: Bus, wire: Wire, timeout: float, clock: Clock) -> dict[str, Any]:
    """Ask the bus for its figures and all drones for theirs.

    The bus knows how many drones listen to the roll call, so that nobody waits longer than the last one takes. One that
    does not tell has a ``note`` that says so, and no queues; all drones have a second then.

    Raises:
        ReplyTimeout: the bus does not answer in time.
    """
    told = bus.dialect.figures
    figures = bus_figures(bus, timeout, clock) if told else _no_figures(bus, timeout)
    listeners = sum(topic["consumers"] for topic in figures["topics"] if topic["name"] == CONTROL)
    with Asking(bus, min(timeout, ANSWER if told else UNKNOWN_ANSWER), clock) as asking:
        asking.send(bus.send_frame(wire.note(CONTROL, {"say": "roll call", "reply_to": asking.answers})))
        drones = roll_call(wire, asking, listeners if told else sys.maxsize)
    orders = read_standing(bus, wire, timeout, clock).orders
    return {
        "bus": {"url": str(bus.address), **figures["bus"]},
        "queues": [{**queue, "task_class": _class_of(queue["name"])} for queue in _visible(figures["queues"])],
        "drones": sorted(drones, key=lambda drone: str(drone["id"])),
        "silent_drones": max(0, listeners - len(drones)),
        "paused": sorted(name for name, (paused, _) in orders.paused.items() if paused),
        "concurrency": {name: count for name, (count, _) in orders.concurrency.items() if count is not None},
        "cancelled": len(orders.cancelled),
    }


def _class_of(name: str) -> str | None:
    """Return the task class whose tasks stand in a queue, or the kind of actor whose keys' tasks do."""
    return task_class_of(name) or kind_in(name)


def _no_figures(bus: Bus, timeout: float) -> dict[str, Any]:
    note = f"{bus.dialect.name} tells no figures of its queues here: look at its own console"
    return {"bus": {"server": bus.connection(timeout).server, "note": note}, "queues": [], "topics": []}


def _visible(queues: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return all queues but those of originators, which are nobody else's business, and that of the orders."""
    return [queue for queue in queues if not queue["name"].startswith(reply_destination("")) and queue["name"] != STATE]


def bus_figures(bus: Bus, timeout: float, clock: Clock) -> dict[str, Any]:
    """Ask the bus for its own figures, and nobody else.

    Raises:
        BusRefused: this bus does not answer such questions.
        ReplyTimeout: the bus does not answer in time.
    """
    if not bus.dialect.figures:
        raise BusRefused(_no_figures(bus, timeout)["bus"]["note"])
    with Asking(bus, timeout, clock) as asking:
        asking.send(frames.encode("SEND", {"destination": STATISTICS, "reply-to": asking.answers}))
        answer = asking.next()
    if answer is None:
        raise ReplyTimeout("the bus does not answer a question for its figures")
    return dict(Wire.read_figures(answer.body))


def roll_call(wire: Wire, asking: Asking, listeners: int) -> list[dict[str, Any]]:
    """Collect what drones answer, until so many have, or the time is over."""
    drones: list[dict[str, Any]] = []
    while len(drones) < listeners:
        answer = asking.next()
        if answer is None:
            break
        try:
            note = wire.read_note(asking.answers, answer.body, answer.headers.get(HEADER))
        except WireError:
            continue  # not from a drone that holds our key
        if isinstance(note, dict) and "id" in note:
            drones.append(note)
    return drones
