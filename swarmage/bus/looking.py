"""Looking into a queue of a bus that cannot show one: all of it is taken on a connection of its own, and not kept.

From: the bus.  To: client, drone.

A stream hands its messages to everybody, and of a queue the end of the connection gives all of them back. The end of
the queue is when nothing comes any more; what is delivered then ends as on a bus that can, with ``browser:end``.
"""

from __future__ import annotations

import itertools
import logging
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from swarmage.bus import frames
from swarmage.bus.delivery import Delivery
from swarmage.bus.subscription import Subscription
from swarmage.errors import BusError

if TYPE_CHECKING:
    from swarmage.bus.bus import Bus
    from swarmage.bus.connection import Connection

logger = logging.getLogger(__name__)

SILENCE = 0.3
"""Seconds without a message after which that was all: they come within milliseconds where there are any."""
CONNECT_SECONDS = 5.0
EVERYTHING = 30_000
"""Messages: about the most that every bus takes for a prefetch."""


class Look(threading.Thread):
    """One look on behalf of a subscription, which gets all in one call of its `receive`."""

    _delivering = threading.Lock()  # a look that a new connection began may end together with the one before

    def __init__(self, bus: Bus, subscription: Subscription) -> None:
        super().__init__(name="look", daemon=True)
        self._bus = bus
        self._subscription = subscription
        self._heard: SimpleQueue[Delivery] = SimpleQueue()

    def run(self) -> None:
        """Look until it has been seen to the end, or nobody wants to know any more."""
        turns = itertools.count()  # a machine without its part of the stream refuses, for as long as it likes
        while self._bus.wants(self._subscription):
            side = self._bus.branch(next(turns))
            try:
                side.start(CONNECT_SECONDS)
                found = self._find(side)
            except BusError as error:
                logger.info("looking into %s again: %s", self._subscription.destination, error)
                self._bus.pause(1.0)
            else:
                self._deliver(found)
                return
            finally:
                side.stop()

    def _find(self, side: Bus) -> list[Delivery]:
        """Return what is there, and the end.

        Raises:
            BusError: the connection was lost.
        """
        wanted = self._subscription
        ack = "client" if wanted.ack == "client-individual" else wanted.ack  # a stream takes no other
        connection = side.connection(CONNECT_SECONDS)
        side.subscribe(
            Subscription(id="look", destination=wanted.destination, receive=self._hear, ack=ack, prefetch=EVERYTHING)
        )
        _settle(connection)
        found: list[Delivery] = []
        while True:
            try:
                found.append(self._heard.get(timeout=SILENCE))
            except Empty:
                break
        if connection.lost:
            raise BusError("the connection ended in the middle of it")
        return [*found, Delivery(connection, {"browser": "end"}, b"")]

    def _hear(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            self._heard.put(delivery)

    def _deliver(self, found: list[Delivery]) -> None:
        with self._delivering:
            if self._bus.wants(self._subscription):
                self._subscription.receive(found)


def _settle(connection: Connection) -> None:
    """Return when the bus has taken in all that was written.

    Raises:
        BusError: it was lost, or has not in time.
    """
    number, receipt = connection.receipts.expect()
    begin = frames.encode("BEGIN", {"transaction": "look"})
    connection.write(begin, frames.encode("ABORT", {"transaction": "look", "receipt": number}))
    if not receipt.wait(CONNECT_SECONDS):
        raise BusError("the bus does not confirm that it shows it")
