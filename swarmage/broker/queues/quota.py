"""How much may be stored: full means that new messages are refused, never that old ones are dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from swarmage.broker.limits import Limits
from swarmage.broker.queues.message import Message
from swarmage.broker.queues.queue import Queue
from swarmage.broker.refused import Refused
from swarmage.broker.storage.notes import DURABLE

_ROW_OVERHEAD = 60


class Quota:
    """Counts what is on its way to the disk or there already.

    Attributes:
        bytes: what is stored, about, if there is a limit to it.
        active: whether there is anything to watch.
    """

    def __init__(self, limits: Limits) -> None:
        self.bytes = 0
        self._most_bytes = limits.stored_bytes
        self._most = limits.queue_messages
        self.active = limits.stored_bytes is not None or limits.queue_messages is not None
        self._on_the_way: Counter[str] = Counter()  # by queue, between the SEND and the commit

    def check(self, messages: Sequence[Message], queues: Mapping[str, Queue]) -> None:
        """Refuse messages that belong together, and are to be stored, when they do not all fit.

        Raises:
            Refused: the bus or a queue is full.
        """
        if self._most_bytes is not None and self.bytes + sum(map(_size, messages)) > self._most_bytes:
            raise Refused(f"the bus is full: it may store {self._most_bytes} bytes (--max-bytes)")
        if self._most is None:
            return
        for name, more in Counter(message.destination for message in messages).items():
            queue = queues.get(name)
            there = queue.waiting.count + queue.in_flight + queue.delayed if queue is not None else 0
            if there + self._on_the_way[name] + more > self._most:
                what = "durable subscription" if name.startswith(DURABLE) else "queue"
                raise Refused(f"the {what} {name} is full: it may hold {self._most} messages (--max-queue-messages)")

    def inserted(self, message: Message) -> None:
        """Note a message that is to be stored."""
        self.bytes += _size(message)
        self._on_the_way[message.destination] += 1

    def arrived(self, message: Message) -> None:
        """Note that it is stored, or refused; its queue counts it from now on, or nobody does."""
        self._on_the_way[message.destination] -= 1
        if not self._on_the_way[message.destination]:
            del self._on_the_way[message.destination]

    def kept(self, message: Message) -> None:
        """Note that it is stored after all, although it was to be removed."""
        self.bytes += _size(message)

    def freed(self, count: int, size_bytes: int) -> None:
        """Note that so many messages are stored no more, which have so many bytes."""
        self.bytes -= size_bytes + count * _ROW_OVERHEAD

    def removed(self, message: Message) -> None:
        """Note that it is stored no more."""
        self.bytes -= _size(message)


def _size(message: Message) -> int:
    return len(message.head) + len(message.body) + _ROW_OVERHEAD
