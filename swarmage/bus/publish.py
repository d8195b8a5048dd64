"""Sending so that nothing is lost: back only when the bus has all of it on disk.

From: client.  To: the bus.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from swarmage.bus.bus import Bus
from swarmage.bus.connection import Connection
from swarmage.bus.receipt import Receipt
from swarmage.clock import SYSTEM_CLOCK, Clock
from swarmage.errors import ConnectionLost, InsertTimeout
from swarmage.wire.message import Message

logger = logging.getLogger(__name__)

CHUNK = 256 * 1024
"""Bytes written at once: large enough for few system calls, small enough for a short wait behind it."""
HEAD = 200
"""Bytes that the head of a frame takes, about."""


def publish(bus: Bus, messages: Sequence[Message], timeout: float, clock: Clock = SYSTEM_CLOCK) -> None:
    """Send messages and return when the bus has all of them on disk; see `Sending.to`."""
    Sending(messages).to(bus, timeout, clock)


class Sending:
    """Messages on their way: what one connection has not confirmed goes over another one, or to another bus."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._left = list(messages)

    def __len__(self) -> int:
        return len(self._left)

    def to(self, bus: Bus, timeout: float, clock: Clock = SYSTEM_CLOCK) -> None:
        """Send what is left, and return when the bus has all of it on disk.

        What a lost connection leaves in doubt is sent again, so that a message may arrive twice, under the same id.

        Args:
            bus: where to.
            timeout: seconds without any progress after which it is given up.
            clock: measures them.

        Raises:
            BusUnreachable: there is no bus.
            BusRefused: the bus refuses one of them.
            InsertTimeout: the bus does not confirm in time.
            NotEncodable: one of them is too large for this bus; none was sent.
            ConfigError: one of them asks for what this bus cannot do; none was sent.
        """
        deadline = clock.monotonic() + timeout
        while self._left:
            before = len(self._left)
            try:
                self.once(bus, timeout, clock, deadline - clock.monotonic())
            except ConnectionLost as error:
                logger.info("sending again what was in doubt: %s", error)
                if len(self._left) < before:
                    deadline = clock.monotonic() + timeout

    def once(self, bus: Bus, timeout: float, clock: Clock, left: float) -> None:
        """Do the same over one connection, within `left` seconds and then `timeout` for each further progress.

        Raises:
            ConnectionLost: it ended; what it has not confirmed may be there.
        """
        deadline = clock.monotonic() + left
        connection = bus.connection(left)  # only then it is known what kind of bus it is
        bus.check(self._left)
        for sent, numbers, receipt in _send(bus, connection, self._left):
            if not receipt.wait(deadline - clock.monotonic()):
                for number in numbers:
                    connection.receipts.forget(number)
                raise InsertTimeout(
                    f"the bus at {bus.address} did not confirm within {timeout:.1f} s; the task may be there"
                )
            del self._left[:sent]
            deadline = clock.monotonic() + timeout


def _send(bus: Bus, connection: Connection, messages: Sequence[Message]) -> list[tuple[int, list[str], Receipt]]:
    """Write all messages in chunks, each with a receipt of its own."""
    waiting = []
    chunk: list[Message] = []
    size = 0
    for message in messages:
        chunk.append(message)
        size += len(message.body) + HEAD
        if size >= CHUNK:
            waiting.append(_send_chunk(bus, connection, chunk))
            chunk, size = [], 0
    if chunk:
        waiting.append(_send_chunk(bus, connection, chunk))
    return waiting


def _send_chunk(bus: Bus, connection: Connection, chunk: Sequence[Message]) -> tuple[int, list[str], Receipt]:
    """Write a chunk; where the bus confirms SENDs in their order, only the last of it asks for a receipt."""
    silent = len(chunk) - 1 if bus.dialect.confirms_in_order else 0
    receipt = Receipt(len(chunk) - silent)
    numbers = [connection.receipts.expect_for(receipt) for _ in chunk[silent:]]
    written = [bus.send_frame(message) for message in chunk[:silent]]
    written += [
        bus.send_frame(message, receipt=number) for message, number in zip(chunk[silent:], numbers, strict=True)
    ]
    connection.write(*written)
    return len(chunk), numbers, receipt
