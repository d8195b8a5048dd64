"""What the bus and the drones say of themselves.

From: bus, drone.presence.  To: your program, `swarmage status`.
"""

from __future__ import annotations

import secrets
from queue import Empty, SimpleQueue
from typing import Any

from swarmage.bus import frames
from swarmage.bus.bus import Bus, Subscription
from swarmage.bus.delivery import Delivery
from swarmage.clock import Clock
from swarmage.errors import ReplyTimeout, WireError
from swarmage.wire.envelope import Wire
from swarmage.wire.names import CONTROL, STATISTICS, reply_destination, task_class_of
from swarmage.wire.signing import HEADER

ANSWER = 2.0
"""Seconds a drone has to answer a roll call: it does so at once, unless its machine is at its limit."""


def status(bus: Bus, wire: Wire, timeout: float, clock: Clock) -> dict[str, Any]:
    """Ask the bus for its figures and all drones for theirs.

    The bus knows how many drones listen to the roll call, so that nobody waits longer than the last one takes.

    Raises:
        ReplyTimeout: the bus does not answer in time.
    """
    heard: SimpleQueue[Delivery] = SimpleQueue()
    name = f"status.{secrets.token_hex(8)}"
    answers = reply_destination(name)

    def receive(deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            heard.put(delivery)

    bus.subscribe(Subscription(id=name, destination=answers, receive=receive, ack="auto", prefetch=1000))
    try:
        connection = bus.connection(timeout)
        ask = {"destination": STATISTICS, "reply-to": answers, "correlation-id": name}
        connection.write(frames.encode("SEND", ask))
        figures = _figures(wire, heard, name, clock.monotonic() + timeout, clock)
        listeners = sum(topic["consumers"] for topic in figures["topics"] if topic["name"] == CONTROL)
        connection.write(bus.send_frame(wire.note(CONTROL, {"say": "roll call", "reply_to": answers})))
        drones = _roll_call(wire, heard, answers, listeners, clock.monotonic() + min(timeout, ANSWER), clock)
    finally:
        bus.unsubscribe(name)
    return {
        "bus": {"url": str(bus.address), **figures["bus"]},
        "queues": [{**queue, "task_class": task_class_of(queue["name"])} for queue in _visible(figures["queues"])],
        "drones": sorted(drones, key=lambda drone: str(drone["id"])),
        "silent_drones": max(0, listeners - len(drones)),
    }


def _visible(queues: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return all queues but those of originators, which are nobody else's business."""
    return [queue for queue in queues if not queue["name"].startswith(reply_destination(""))]


def _figures(wire: Wire, heard: SimpleQueue[Delivery], name: str, deadline: float, clock: Clock) -> dict[str, Any]:
    while True:
        delivery = _next(heard, deadline, clock)
        if delivery is None:
            raise ReplyTimeout("the bus does not answer a question for its figures")
        if delivery.headers.get("correlation-id") == name:
            return dict(wire.read_figures(delivery.body))


def _roll_call(
    wire: Wire, heard: SimpleQueue[Delivery], destination: str, listeners: int, deadline: float, clock: Clock
) -> list[dict[str, Any]]:
    drones: list[dict[str, Any]] = []
    while len(drones) < listeners:
        delivery = _next(heard, deadline, clock)
        if delivery is None:
            break
        try:
            note = wire.read_note(destination, delivery.body, delivery.headers.get(HEADER))
        except WireError:
            continue  # not from a drone that holds our key
        if isinstance(note, dict) and "id" in note:
            drones.append(note)
    return drones


def _next(heard: SimpleQueue[Delivery], deadline: float, clock: Clock) -> Delivery | None:
    try:
        return heard.get(timeout=max(0.0, deadline - clock.monotonic()))
    except Empty:
        return None
