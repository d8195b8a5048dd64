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
    """
    left = list(messages)
    deadline = clock.monotonic() + timeout
    while left:
        connection = bus.connection(deadline - clock.monotonic())
        try:
            for sent, number, receipt in _send(bus, connection, left):
                if not receipt.wait(deadline - clock.monotonic()):
                    connection.receipts.forget(number)
                    raise InsertTimeout(
                        f"the bus at {bus.address} did not confirm within {timeout:.1f} s; the task may be there"
                    )
                del left[:sent]
                deadline = clock.monotonic() + timeout
        except ConnectionLost as error:
            logger.info("sending again what was in doubt: %s", error)


def _send(bus: Bus, connection: Connection, messages: Sequence[Message]) -> list[tuple[int, str, Receipt]]:
    """Write all messages, asking for one receipt a chunk: the embedded bus confirms SENDs in their order."""
    waiting = []
    chunk: list[bytes] = []
    size = 0
    for message in messages:
        chunk.append(bus.send_frame(message))
        size += len(chunk[-1])
        if size >= CHUNK:
            waiting.append(_send_chunk(connection, chunk))
            chunk, size = [], 0
    if chunk:
        waiting.append(_send_chunk(connection, chunk))
    return waiting


def _send_chunk(connection: Connection, chunk: list[bytes]) -> tuple[int, str, Receipt]:
    number, receipt = connection.receipts.expect()
    chunk[-1] = chunk[-1].replace(b"\n", f"\nreceipt:{number}\n".encode(), 1)
    connection.write(*chunk)
    return len(chunk), number, receipt
