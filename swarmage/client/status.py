"""What the bus and the drones say of themselves.

From: bus, drone.presence.  To: your program, `swarmage status`.
"""

from __future__ import annotations

import secrets
from queue import Empty, SimpleQueue
from typing import Any

from swarmage.bus import frames
from swarmage.bus.bus import Bus
from swarmage.bus.delivery import Delivery
from swarmage.bus.subscription import Subscription
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
    figures = bus_figures(bus, timeout, clock)
    listeners = sum(topic["consumers"] for topic in figures["topics"] if topic["name"] == CONTROL)
    with _Asking(bus, min(timeout, ANSWER), clock) as asking:
        asking.send(bus.send_frame(wire.note(CONTROL, {"say": "roll call", "reply_to": asking.answers})))
        drones = _roll_call(wire, asking, listeners)
    return {
        "bus": {"url": str(bus.address), **figures["bus"]},
        "queues": [{**queue, "task_class": task_class_of(queue["name"])} for queue in _visible(figures["queues"])],
        "drones": sorted(drones, key=lambda drone: str(drone["id"])),
        "silent_drones": max(0, listeners - len(drones)),
    }


def _visible(queues: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return all queues but those of originators, which are nobody else's business."""
    return [queue for queue in queues if not queue["name"].startswith(reply_destination(""))]


def bus_figures(bus: Bus, timeout: float, clock: Clock) -> dict[str, Any]:
    """Ask the bus for its own figures, and nobody else.

    Raises:
        ReplyTimeout: the bus does not answer in time.
    """
    with _Asking(bus, timeout, clock) as asking:
        asking.send(frames.encode("SEND", {"destination": STATISTICS, "reply-to": asking.answers}))
        answer = asking.next()
    if answer is None:
        raise ReplyTimeout("the bus does not answer a question for its figures")
    return dict(Wire.read_figures(answer.body))


def _roll_call(wire: Wire, asking: _Asking, listeners: int) -> list[dict[str, Any]]:
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


class _Asking:
    """A question, and a queue of its own for the answers, until the deadline."""

    def __init__(self, bus: Bus, timeout: float, clock: Clock) -> None:
        self._name = f"status.{secrets.token_hex(8)}"
        self.answers = reply_destination(self._name)
        self._bus = bus
        self._clock = clock
        self._timeout = timeout
        self._deadline = clock.monotonic() + timeout
        self._heard: SimpleQueue[Delivery] = SimpleQueue()

    def __enter__(self) -> _Asking:
        self._bus.subscribe(
            Subscription(id=self._name, destination=self.answers, receive=self._receive, ack="auto", prefetch=1000)
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._bus.unsubscribe(self._name)

    def _receive(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            self._heard.put(delivery)

    def send(self, frame: bytes) -> None:
        """Ask."""
        self._bus.connection(self._timeout).write(frame)

    def next(self) -> Delivery | None:
        """Return the next answer, None when the time is over."""
        try:
            return self._heard.get(timeout=max(0.0, self._deadline - self._clock.monotonic()))
        except Empty:
            return None
