"""Sending so that nothing is lost: back only when the bus has all of it on disk.

From: client.  To: the bus.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from swarmage.bus.bus import Bus
from swarmage.bus.connection import Connection
from swarmage.bus.receipt import Receipt, Receipts
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
    with Pipeline(bus, timeout, clock) as pipeline:
        pipeline.put(messages)


class _Chunk(NamedTuple):
    """What was written at once: how many messages, and the receipts they wait for."""

    size: int
    numbers: Sequence[str]
    receipt: Receipt
    receipts: Receipts


class Pipeline:
    """Sends one batch while the bus writes the one before to disk. Use it in a ``with`` block.

    At the end of the block all that was put is on disk; what `publish` raises comes from `put` or from there.
    """

    def __init__(self, bus: Bus, timeout: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self._bus = bus
        self._timeout = timeout
        self._clock = clock
        self._deadline = 0.0
        self._unconfirmed: list[Message] = []
        self._written: deque[_Chunk] = deque()  # on the present connection, of the first of those messages

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._progress()
                self._settle(0)
        finally:
            self._forget()

    def put(self, messages: Sequence[Message]) -> None:
        """Send a batch; back when the bus has all that was put before it."""
        if messages:
            self._progress()  # nobody waited for the bus since the last batch
            self._bus.connection(self._timeout)  # only then it is known what kind of bus it is
            self._bus.check(messages)
            self._unconfirmed += messages
            self._settle(len(messages))

    def _progress(self) -> None:
        self._deadline = self._clock.monotonic() + self._timeout

    def _left(self) -> float:
        return self._deadline - self._clock.monotonic()

    def _settle(self, most: int) -> None:
        """Write everything, and wait until no more than so many messages are unconfirmed."""
        while self._unconfirmed:
            try:
                self._write()
                if len(self._unconfirmed) <= most:
                    return
                self._wait()
            except ConnectionLost as error:
                logger.info("sending again what was in doubt: %s", error)
                self._forget()

    def _write(self) -> None:
        """Write what is not yet, in chunks, each with a receipt of its own."""
        begin = sum(chunk.size for chunk in self._written)
        if begin == len(self._unconfirmed):
            return
        connection = self._bus.connection(self._left())
        chunk: list[Message] = []
        size = 0
        for message in self._unconfirmed[begin:]:
            chunk.append(message)
            size += len(message.body) + HEAD
            if size >= CHUNK:
                self._written.append(_write_chunk(self._bus, connection, chunk))
                chunk, size = [], 0
        if chunk:
            self._written.append(_write_chunk(self._bus, connection, chunk))

    def _wait(self) -> None:
        """Wait for the oldest chunk."""
        if not self._written[0].receipt.wait(self._left()):
            raise InsertTimeout(
                f"the bus at {self._bus.address} did not confirm within {self._timeout:.1f} s; the task may be there"
            )
        del self._unconfirmed[: self._written.popleft().size]
        self._progress()

    def _forget(self) -> None:
        """Count everything as not written, and wait for no receipt any more."""
        for chunk in self._written:
            for number in chunk.numbers:
                chunk.receipts.forget(number)
        self._written.clear()


def _write_chunk(bus: Bus, connection: Connection, chunk: Sequence[Message]) -> _Chunk:
    """Write a chunk; where the bus confirms SENDs in their order, only the last of it asks for a receipt."""
    silent = len(chunk) - 1 if bus.dialect.confirms_in_order else 0
    receipt = Receipt(len(chunk) - silent)
    numbers = [connection.receipts.expect_for(receipt) for _ in chunk[silent:]]
    written = [bus.send_frame(message) for message in chunk[:silent]]
    written += [
        bus.send_frame(message, receipt=number) for message, number in zip(chunk[silent:], numbers, strict=True)
    ]
    connection.write(*written)
    return _Chunk(len(chunk), numbers, receipt, connection.receipts)
