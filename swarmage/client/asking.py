"""Asking something of the bus or of drones.

From: your program.  To: bus.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from queue import Empty, SimpleQueue

from swarmage.bus.bus import Bus
from swarmage.bus.connection import Connection
from swarmage.bus.delivery import Delivery
from swarmage.bus.subscription import Subscription
from swarmage.clock import Clock
from swarmage.wire.names import STATUS, reply_destination

LOOK_SECONDS = 0.1
"""How soon it is noticed that the connection has ended on which somebody asked."""


class Asking:
    """A question, and a queue of its own for the answers, until the deadline.

    What else the SUBSCRIBE for the answers has to say on this kind of bus stands in ``headers``.
    """

    def __init__(self, bus: Bus, timeout: float, clock: Clock, headers: Mapping[str, str] | None = None) -> None:
        self._name = f"{STATUS}{secrets.token_hex(8)}"
        self.answers = reply_destination(self._name)
        self._bus = bus
        self._headers = headers or {}
        self._clock = clock
        self._timeout = timeout
        self._deadline = clock.monotonic() + timeout
        self._heard: SimpleQueue[Delivery | None] = SimpleQueue()
        self._asked: Connection | None = None

    def __enter__(self) -> Asking:
        self._bus.subscribe(
            Subscription(
                id=self._name,
                destination=self.answers,
                receive=self._receive,
                ack="auto",
                prefetch=1000,
                more=self._headers,
            )
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._bus.unsubscribe(self._name)

    def _receive(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            self._heard.put(delivery)

    def send(self, frame: bytes) -> None:
        """Ask."""
        self._asked = self._bus.connection(self._timeout)
        self._asked.write(frame)

    @property
    def lost(self) -> bool:
        """Whether the connection has ended on which it was asked, and the question perhaps with it."""
        return self._asked is not None and self._asked.lost

    def give_up(self) -> None:
        """Let who waits for an answer know that none will come."""
        self._heard.put(None)

    def next(self) -> Delivery | None:
        """Return the next answer, None when the time is over, it was given up, or the connection is lost."""
        left = max(0.0, self._deadline - self._clock.monotonic())
        while True:
            try:
                return self._heard.get(timeout=min(left, LOOK_SECONDS))
            except Empty:
                left -= LOOK_SECONDS
                if left <= 0 or self.lost:
                    return None
