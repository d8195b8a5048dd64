"""What the bus and the drones say of themselves.

From: bus, drone.presence.  To: your program, `swarmage status`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from swarmage.bus import frames
from swarmage.bus.bus import Bus
from swarmage.client.asking import Asking
from swarmage.client.orders import read_standing
from swarmage.clock import Clock
from swarmage.errors import BusError, BusRefused, ConnectionLost, ReplyTimeout, WireError
from swarmage.wire.envelope import Wire
from swarmage.wire.names import CONTROL, STATE, STATISTICS, kind_in, reply_destination, task_class_of
from swarmage.wire.signing import HEADER

ANSWER = 2.0
"""Seconds a drone has to answer a roll call: it does so at once, unless its machine is at its limit."""
UNKNOWN_ANSWER = 1.0
"""Seconds to listen where nobody knows how many drones there are."""


def status(bus: Bus, wire: Wire, timeout: float, clock: Clock) -> dict[str, Any]:
    """Ask the bus for its figures and all drones for theirs.

    A bus that does not tell its figures has a ``note`` that says what is missing, and no queues.

    Raises:
        ReplyTimeout: the bus does not answer in time.
    """
    figures = told_figures(bus, timeout, clock)
    drones = drones_there(bus, wire, figures, timeout, clock)
    orders = read_standing(bus, wire, timeout, clock).orders
    return {
        "bus": {"url": str(bus.address), **figures["bus"]},
        "queues": [{**queue, "task_class": _class_of(queue["name"])} for queue in _visible(figures["queues"])],
        "drones": sorted(drones, key=lambda drone: str(drone["id"])),
        "silent_drones": max(0, listeners(figures) - len(drones)),
        "paused": sorted(name for name, (paused, _) in orders.paused.items() if paused),
        "concurrency": {name: count for name, (count, _) in orders.concurrency.items() if count is not None},
        "cancelled": len(orders.cancelled),
    }


def _class_of(name: str) -> str | None:
    """Return the task class whose tasks stand in a queue, or the kind of actor whose keys' tasks do."""
    return task_class_of(name) or kind_in(name)


def listeners(figures: Mapping[str, Any]) -> int:
    """Return how many drones listen to the roll call, 0 where the bus does not tell."""
    return sum(topic["consumers"] for topic in figures["topics"] if topic["name"] == CONTROL)


def told_figures(bus: Bus, timeout: float, clock: Clock) -> dict[str, Any]:
    """Return the figures of any kind of bus; of one that does not tell them, a note about what is missing.

    Raises:
        ReplyTimeout: our own bus does not answer in time.
    """
    try:
        return find_figures(bus, timeout, clock)
    except BusError as error:
        server = bus.connection(timeout).server
        return {"bus": {"server": server, "note": f"no figures of queues: {error}"}, "queues": [], "topics": []}


def find_figures(bus: Bus, timeout: float, clock: Clock) -> dict[str, Any]:
    """Ask any kind of bus for its figures, in its own way.

    Raises:
        BusError: it does not tell them; the message says what is missing.
        ReplyTimeout: our own bus does not answer in time.
    """
    match bus.dialect.name:  # each imported only where it is needed: whoever inserts a task needs no HTTP
        case "RabbitMQ":
            from swarmage.client.figures.rabbitmq import rabbitmq_figures  # noqa: PLC0415

            return rabbitmq_figures(bus, timeout, clock)
        case "ActiveMQ":
            from swarmage.client.figures.activemq import activemq_figures  # noqa: PLC0415

            return activemq_figures(bus, timeout, clock)
    return bus_figures(bus, timeout, clock)


def _visible(queues: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return all queues but those of originators, which are nobody else's business, and that of the orders."""
    return [queue for queue in queues if not queue["name"].startswith(reply_destination("")) and queue["name"] != STATE]


def bus_figures(bus: Bus, timeout: float, clock: Clock) -> dict[str, Any]:
    """Ask our own bus for its figures, and nobody else.

    Raises:
        BusRefused: another kind of bus does not answer such questions.
        ReplyTimeout: the bus does not answer in time.
    """
    if not bus.dialect.figures:
        raise BusRefused(f"{bus.dialect.name} does not answer questions to {STATISTICS}")
    deadline = clock.monotonic() + timeout
    while True:
        with Asking(bus, deadline - clock.monotonic(), clock) as asking, suppress(ConnectionLost):
            asking.send(frames.encode("SEND", {"destination": STATISTICS, "reply-to": asking.answers}))
            answer = asking.next()
            if answer is not None:
                return dict(Wire.read_figures(answer.body))
        if not asking.lost or clock.monotonic() >= deadline:  # else it is asked again on the next connection
            raise ReplyTimeout("the bus does not answer a question for its figures")


def drones_there(
    bus: Bus, wire: Wire, figures: Mapping[str, Any], timeout: float, clock: Clock
) -> list[dict[str, Any]]:
    """Return what all drones say of themselves.

    Our own bus knows how many of them listen, so that nobody waits longer than the last one takes; elsewhere they have
    a second.
    """
    told = bus.dialect.figures
    with Asking(bus, min(timeout, ANSWER if told else UNKNOWN_ANSWER), clock) as asking:
        asking.send(bus.send_frame(wire.note(CONTROL, {"say": "roll call", "reply_to": asking.answers})))
        return roll_call(wire, asking, listeners(figures) if told else sys.maxsize)


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
