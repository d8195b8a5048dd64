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
    """Send messages and return when the bus has all of them on disk.

    What a lost connection leaves in doubt is sent again, so that a message may arrive twice, under the same id.

    Args:
        bus: where to.
        messages: what to send.
        timeout: seconds without any progress after which it is given up.
        clock: measures them.

    Raises:
        BusUnreachable: there is no bus.
        BusRefused: the bus refuses one of them.
        InsertTimeout: the bus does not confirm in time.
        NotEncodable: one of them is too large for this bus; none was sent.
        ConfigError: one of them asks for what this bus cannot do; none was sent.
    """
    left = list(messages)
    deadline = clock.monotonic() + timeout
    if left:
        bus.connection(timeout)  # only then it is known what kind of bus it is
        bus.check(left)
    while left:
        connection = bus.connection(deadline - clock.monotonic())
        try:
            for sent, numbers, receipt in _send(bus, connection, left):
                if not receipt.wait(deadline - clock.monotonic()):
                    for number in numbers:
                        connection.receipts.forget(number)
                    raise InsertTimeout(
                        f"the bus at {bus.address} did not confirm within {timeout:.1f} s; the task may be there"
                    )
                del left[:sent]
                deadline = clock.monotonic() + timeout
        except ConnectionLost as error:
            logger.info("sending again what was in doubt: %s", error)


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
