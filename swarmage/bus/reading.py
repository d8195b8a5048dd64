"""What is done with the frames of one read. In the reading thread, so nothing here waits.

From: connection.  To: subscriptions, steps, and whoever waits for a receipt.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from swarmage.bus.delivery import Delivery
from swarmage.bus.frames import Frame, text_of
from swarmage.bus.subscriptions import Subscriptions
from swarmage.errors import BusRefused

if TYPE_CHECKING:
    from swarmage.bus.bus import Bus
    from swarmage.bus.connection import Connection

logger = logging.getLogger(__name__)


class Reading:
    """Sorts what comes from one bus."""

    def __init__(self, bus: Bus, subscriptions: Subscriptions) -> None:
        self._bus = bus
        self._subscriptions = subscriptions

    def take(self, connection: Connection, incoming: list[Frame]) -> None:
        """Take in all frames of one read."""
        bus = self._bus
        arrived: dict[str, list[Delivery]] = {}
        translate = bus.dialect.translate
        new = tuple.__new__  # what a NamedTuple's own does, without a call in Python for each message
        for command, headers, body in incoming:
            if command == "MESSAGE":
                if translate is not None:
                    translate(headers)
                delivery = new(Delivery, (connection, headers, body))
                id_ = headers["subscription"]
                if id_ in arrived:
                    arrived[id_].append(delivery)
                else:
                    arrived[id_] = [delivery]
            elif command == "RECEIPT":
                connection.receipts.settle(headers["receipt-id"])
            elif command == "ERROR":
                self._refused(connection, headers, body)
        bus.steps.acknowledge(connection)
        self._subscriptions.deliver(arrived)

    def _refused(self, connection: Connection, headers: dict[str, str], body: bytes) -> None:
        dialect = self._bus.dialect
        said = text_of(headers, body)
        if dialect.late is not None and self._subscriptions.may_be_late(dialect.late(said)):
            logger.debug("an answer came too late: %s", said)
            return  # RabbitMQ keeps the connection, too
        text, passing = dialect.explain(said)
        error = connection.refused = BusRefused(f"the bus at {self._bus.address} answers: {text!r}")
        logger.warning("%s", error)
        if "receipt-id" in headers:
            connection.receipts.settle(headers["receipt-id"], error)
        elif not dialect.names_errors:  # so nobody knows which of all those it is about
            if not passing:
                connection.receipts.fail_all(error)
            connection.close()
