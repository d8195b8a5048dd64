"""Steps: what came of a message is sent, and the message is acknowledged, so that neither is lost without the other.

From: drone.finalize, client.dead_letters.  To: the bus.

Where the bus commits atomically, that is one transaction, written at once: the bus applies all of it or, when the
connection is lost before the COMMIT, nothing. Elsewhere each SEND asks for a receipt, and the ACK follows when the last
of them has come: who dies in between repeats the step and loses nothing.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from swarmage.bus import frames
from swarmage.bus.delivery import Delivery
from swarmage.bus.receipt import Receipt
from swarmage.errors import ConnectionLost, SwarmageError
from swarmage.wire.message import Message

if TYPE_CHECKING:
    from swarmage.bus.bus import Bus
    from swarmage.bus.connection import Connection

logger = logging.getLogger(__name__)


class Steps:
    """The steps on one bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._names = itertools.count(1)
        self._changed = threading.Condition()
        self._open = 0  # steps of which a receipt is missing, or whose ack is not written yet
        self._due: dict[Connection, list[Delivery]] = {}

    def take(self, steps: Iterable[tuple[Delivery, Sequence[Message]]]) -> None:
        """Begin steps, all of one connection with one write; those of a connection that is lost come to nothing."""
        encode = self._as_transaction if self._bus.dialect.atomic else self._with_receipts
        by_connection: dict[Connection, list[bytes]] = {}
        for delivery, messages in steps:
            by_connection.setdefault(delivery.connection, []).append(encode(delivery, messages))
        for connection, written in by_connection.items():
            try:
                connection.write(*written)
            except ConnectionLost as error:
                logger.info("%d finished tasks come again: their connection was lost before the ack", len(written))
                if not self._bus.dialect.atomic:
                    connection.receipts.fail_all(error)  # those that were asked for after its end

    def complete(self, delivery: Delivery, messages: Sequence[Message], timeout: float) -> bool:
        """Take one step and wait until the bus has it on disk; return False when that takes too long.

        Raises:
            ConnectionLost: the connection ended first; the step may have been taken.
            BusRefused: the bus refuses one of the messages.
        """
        connection = delivery.connection
        if not self._bus.dialect.atomic:
            sent = Receipt(len(messages))
            connection.write(
                *(self._bus.send_frame(each, receipt=connection.receipts.expect_for(sent)) for each in messages)
            )
            if messages and not sent.wait(timeout):
                return False
        number, receipt = connection.receipts.expect()
        connection.write(self._as_transaction(delivery, messages if self._bus.dialect.atomic else (), number))
        return receipt.wait(timeout)

    def _as_transaction(self, delivery: Delivery, messages: Sequence[Message], receipt: str = "") -> bytes:
        asks = f"receipt:{receipt}\n" if receipt else ""
        if not messages:
            return frames.ack(delivery.ack_id, None, asks)
        name = f"t{next(self._names)}"
        sends = (self._bus.send_frame(message, name) for message in messages)
        head = f"BEGIN\ntransaction:{name}\n\n\0".encode()
        tail = f"COMMIT\ntransaction:{name}\n{asks}\n\0".encode()
        return b"".join((head, *sends, frames.ack(delivery.ack_id, name), tail))

    def _with_receipts(self, delivery: Delivery, messages: Sequence[Message]) -> bytes:
        if not messages:
            return frames.ack(delivery.ack_id)
        step = _Open(self, delivery, len(messages))
        receipts = delivery.connection.receipts
        with self._changed:
            self._open += 1
        return b"".join([self._bus.send_frame(each, receipt=receipts.expect_for(step)) for each in messages])

    # in the reading thread

    def confirmed(self, delivery: Delivery) -> None:
        """Note that all of a step is on the bus but its ack."""
        self._due.setdefault(delivery.connection, []).append(delivery)

    def failed(self) -> None:
        """Note that a step has come to nothing."""
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def acknowledge(self, connection: Connection) -> None:
        """Write the acks of all steps that are complete with what was read last."""
        due = self._due.pop(connection, None)
        if due is None:
            return
        try:
            connection.write(*(frames.ack(delivery.ack_id) for delivery in due))
        except ConnectionLost:
            logger.info("%d finished tasks come again: their connection was lost before the ack", len(due))
        with self._changed:
            self._open -= len(due)
            self._changed.notify_all()

    # whoever leaves

    def wait(self, timeout: float) -> bool:
        """Return True when no step is open any more, False when one still is after so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._open <= 0, timeout)


class _Open:
    """A step whose messages are on their way."""

    __slots__ = ("_delivery", "_left", "_steps")

    def __init__(self, steps: Steps, delivery: Delivery, left: int) -> None:
        self._steps = steps
        self._delivery = delivery
        self._left = left

    def settle(self, error: SwarmageError | None = None) -> None:
        """Take note of one receipt; the connection goes with the first that fails, and its tasks come again."""
        if self._left <= 0:
            return
        if error is None:
            self._left -= 1
            if self._left == 0:
                self._steps.confirmed(self._delivery)
            return
        self._left = 0
        self._steps.failed()
        if not isinstance(error, ConnectionLost):
            self._delivery.connection.close()
