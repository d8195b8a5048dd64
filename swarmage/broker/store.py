"""What the bus asks of whatever keeps its messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from swarmage.broker.message import Message


class Batch:
    """What becomes durable together, in one transaction of the store.

    Attributes:
        inserts: new messages.
        deletes: numbers of messages that are done.
        counts: messages whose delivery count changed.
        size: an estimate of the bytes it holds.
    """

    __slots__ = ("counts", "deletes", "inserts", "size")

    def __init__(self) -> None:
        self.inserts: list[Message] = []
        self.deletes: list[int] = []
        self.counts: dict[int, int] = {}
        self.size = 0

    def __bool__(self) -> bool:
        return bool(self.inserts or self.deletes or self.counts)


@dataclass(slots=True)
class Loaded:
    """What a store held when it was opened.

    Attributes:
        next_number: the first sequence number that was never used.
        messages: all of them, in order of their numbers.
    """

    next_number: int = 1
    messages: list[Message] = field(default_factory=list)


Done = Callable[[Exception | None], None]
"""Called once a batch is durable, or with the reason why it is not."""


class Store(Protocol):
    """Keeps messages over restarts."""

    def load(self) -> Loaded:
        """Open the store and return what it holds."""
        ...

    def submit(self, batch: Batch, done: Done) -> None:
        """Make the batch durable, then call ``done``; the caller submits one at a time."""
        ...

    def close(self) -> None:
        """Finish what was submitted and let go of the files."""
        ...


class MemoryStore:
    """Keeps nothing longer than the process; everything is done at once.

    Attributes:
        messages: what a durable store would hold now, by number.
    """

    def __init__(self) -> None:
        self.messages: dict[int, Message] = {}
        self._next_number = 1

    def load(self) -> Loaded:
        """Return what an earlier bus on the same object left, which is what a restart looks like in tests."""
        return Loaded(self._next_number, [self.messages[number] for number in sorted(self.messages)])

    def submit(self, batch: Batch, done: Done) -> None:
        """Apply the batch."""
        for message in batch.inserts:
            self.messages[message.id] = message
            self._next_number = max(self._next_number, message.id + 1)
        for number, count in batch.counts.items():
            if number in self.messages:
                self.messages[number].count = count
        for number in batch.deletes:
            self.messages.pop(number, None)
        done(None)

    def close(self) -> None:
        """Nothing to let go of."""
