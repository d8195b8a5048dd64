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
from swarmage.bus.receipt import Receipt
from swarmage.clock import SYSTEM_CLOCK, Clock
from swarmage.errors import ConnectionLost, InsertTimeout, SwarmageError
from swarmage.wire.message import Message

logger = logging.getLogger(__name__)

CHUNK = 256 * 1024
"""Bytes written at once: large enough for few system calls, small enough for a short wait behind it."""
HEAD = 200
"""Bytes that the head of a frame takes, about."""


def publish(bus: Bus, messages: Sequence[Message], timeout: float, clock: Clock = SYSTEM_CLOCK) -> None:
    """Send messages and return when the bus has all of them on disk; see `Sending.to`."""
    sending = Sending(messages)
    try:
        sending.to(bus, timeout, clock)
    finally:
        sending.forget()


class Pipeline:
    """Sends one batch while the bus writes the one before to disk. Use it in a ``with`` block.

    At the end of the block all that was put is on disk; what `Sending.to` raises comes from `put` or from there.
    """

    def __init__(self, bus: Bus, timeout: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self._bus = bus
        self._timeout = timeout
        self._clock = clock
        self._sending = Sending()

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._sending.to(self._bus, self._timeout, self._clock)
        finally:
            self._sending.forget()

    def put(self, messages: Sequence[Message]) -> None:
        """Send a batch; back when the bus has all that was put before it."""
        self._sending.add(messages)
        self._sending.to(self._bus, self._timeout, self._clock, most=len(messages))


class _Chunk(NamedTuple):
    """What was written at once: how many messages, and the receipts they wait for."""

    size: int
    numbers: Sequence[str]
    receipt: Receipt


class Sending:
    """Messages on their way: what one connection has not confirmed goes over another one, or to another bus."""

    def __init__(self, messages: Sequence[Message] = ()) -> None:
        self._left = list(messages)
        self._connection: Connection | None = None
        self._written: deque[_Chunk] = deque()  # on that connection, of the first of those messages
        self._one_by_one = False  # once something was refused, nobody knows which: each asks for a receipt then

    def __len__(self) -> int:
        return len(self._left)

    def add(self, messages: Sequence[Message]) -> None:
        """Have more to send, behind the others."""
        self._left += messages

    def to(self, bus: Bus, timeout: float, clock: Clock = SYSTEM_CLOCK, most: int = 0) -> None:
        """Send what is left, and return when the bus has it on disk, but for so many messages at the end.

        What a lost connection leaves in doubt is sent again, so that a message may arrive twice, under the same id.

        Args:
            bus: where to.
            timeout: seconds without any progress after which it is given up.
            clock: measures them.
            most: messages that need not be confirmed yet.

        Raises:
            BusUnreachable: there is no bus.
            BusRefused: the bus refuses one of them.
            InsertTimeout: the bus does not confirm in time.
            NotEncodable: one of them is too large for this bus; none that was not sent before was sent.
            ConfigError: one of them asks for what this bus cannot do; the same holds.
        """
        deadline = clock.monotonic() + timeout
        again = bool(self._left)
        while again:
            again, before = False, len(self._left)
            try:
                self.once(bus, timeout, clock, deadline - clock.monotonic(), most)
            except ConnectionLost as error:
                logger.info("sending again what was in doubt: %s", error)
                again = True
                if len(self._left) < before:
                    deadline = clock.monotonic() + timeout

    def once(self, bus: Bus, timeout: float, clock: Clock, left: float, most: int = 0) -> None:
        """Do the same over one connection, within `left` seconds and then `timeout` for each further progress.

        Raises:
            ConnectionLost: it ended; what it has not confirmed may be there.
        """
        deadline = clock.monotonic() + left
        connection = bus.connection(left)  # only then it is known what kind of bus it is
        if connection is not self._connection:
            self.forget()
            self._connection = connection
        try:
            self._write(bus, connection)
            while len(self._left) > most:
                if not self._written[0].receipt.wait(deadline - clock.monotonic()):
                    raise InsertTimeout(
                        f"the bus at {bus.address} did not confirm within {timeout:.1f} s; the task may be there"
                    )
                del self._left[: self._written.popleft().size]
                deadline = clock.monotonic() + timeout
        except SwarmageError:
            self._one_by_one |= connection.refused is not None
            self.forget()
            raise

    def _write(self, bus: Bus, connection: Connection) -> None:
        """Write what is not yet, in chunks, each with a receipt of its own."""
        unwritten = self._left[sum(chunk.size for chunk in self._written) :]
        bus.check(unwritten)
        chunk: list[Message] = []
        size = 0
        for message in unwritten:
            chunk.append(message)
            size += len(message.body) + HEAD
            if size >= CHUNK:
                self._written.append(self._write_chunk(bus, connection, chunk))
                chunk, size = [], 0
        if chunk:
            self._written.append(self._write_chunk(bus, connection, chunk))

    def _write_chunk(self, bus: Bus, connection: Connection, chunk: Sequence[Message]) -> _Chunk:
        """Write a chunk; where SENDs are confirmed in their order, only the last of it asks for a receipt."""
        silent = len(chunk) - 1 if bus.dialect.confirms_in_order and not self._one_by_one else 0
        receipt = Receipt(len(chunk) - silent)
        numbers = [connection.receipts.expect_for(receipt) for _ in chunk[silent:]]
        written = [bus.send_frame(message) for message in chunk[:silent]]
        written += [
            bus.send_frame(message, receipt=number) for message, number in zip(chunk[silent:], numbers, strict=True)
        ]
        connection.write(*written)
        return _Chunk(len(chunk), numbers, receipt)

    def forget(self) -> None:
        """Wait for no receipt any more: what is not confirmed counts as not sent."""
        connection, self._connection = self._connection, None
        for chunk in self._written:
            for number in chunk.numbers:
                if connection is not None:
                    connection.receipts.forget(number)
        self._written.clear()
