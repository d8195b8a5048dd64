"""What the bus asks of whatever keeps its messages."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from swarmage.broker.queues.message import Message
from swarmage.broker.storage.notes import Noted, Notes


class Batch:
    """What becomes durable together, in one transaction of the store.

    Attributes:
        inserts: new messages, in the order of their numbers, which are higher than all before.
        deletes: messages that are done.
        counts: messages whose delivery count changed.
        notes: what it changes besides messages, None for nothing.
        size: an estimate of the bytes it holds.
    """

    __slots__ = ("counts", "deletes", "inserts", "notes", "size")

    def __init__(self) -> None:
        self.inserts: list[Message] = []
        self.deletes: list[Message] = []
        self.counts: dict[Message, int] = {}
        self.notes: Notes | None = None
        self.size = 0

    def __bool__(self) -> bool:
        return bool(self.inserts or self.deletes or self.counts or self.notes is not None)


@dataclass(slots=True)
class Loaded:
    """What a store held when it was opened.

    Attributes:
        next_number: the first sequence number that was never used.
        messages: those that are to be kept in memory, in order of their numbers.
        backlog: by destination and priority, how many more there are that `Store.read` brings.
        first: the lowest number among these, by destination and priority.
        fading: destinations among them that hold messages with an expiry.
        bytes: what all of them take.
        noted: what is there besides messages.
    """

    next_number: int = 1
    messages: list[Message] = field(default_factory=list)
    backlog: dict[tuple[str, int], int] = field(default_factory=dict)
    first: dict[tuple[str, int], int] = field(default_factory=dict)
    fading: set[str] = field(default_factory=set)
    bytes: int = 0
    noted: Noted = field(default_factory=Noted)


@dataclass(frozen=True, slots=True)
class Page:
    """Which messages to read: the next ones of a queue and priority, in order of their numbers.

    Attributes:
        destination: the queue's name.
        priority: of the messages.
        after: a number; only higher ones are wanted.
        most: no more of them than this.
        most_bytes: nor, behind the first, more bytes than this.
    """

    destination: str
    priority: int
    after: int
    most: int
    most_bytes: int


Done = Callable[[Exception | None], None]
"""Called once a batch is durable, or with the reason why it is not: `StoreFull` means that nothing of it was stored and
that it may be tried again, everything else that the store has given up."""

Read = Callable[[list[Message] | Exception], None]
"""Called with the messages of a page, some of which may be `Damaged`, or with the reason why they cannot be read."""


class Store(Protocol):
    """Keeps messages over restarts."""

    def load(self) -> Loaded:
        """Open the store and return what it holds."""
        ...

    def submit(self, batch: Batch, done: Done) -> None:
        """Make the batch durable, then call ``done``; the caller submits one at a time.

        After `StoreFull`, an empty batch asks whether there is room again.
        """
        ...

    def read(self, page: Page, done: Read) -> None:
        """Call ``done`` with the page, as it is after everything submitted before."""
        ...

    def close(self) -> None:
        """Finish what was submitted and let go of the files."""
        ...


_FEW = 10_000


class MemoryStore:
    """Keeps nothing longer than the process; everything is done at once.

    Attributes:
        messages: what a durable store would hold now, by number.
        noted: what it would hold besides.
    """

    def __init__(self) -> None:
        self.messages: dict[int, Message] = {}
        self.noted = Noted()
        self._lanes: dict[tuple[str, int], list[int]] = {}  # numbers in order, those of done messages among them
        self._alive: Counter[tuple[str, int]] = Counter()  # how many of each lane are not done
        self._next_number = 1

    def load(self) -> Loaded:
        """Return what an earlier bus on the same object left, which is what a restart looks like in tests."""
        held = [_again(message) for _, message in sorted(self.messages.items()) if message.due]
        due = [message for message in self.messages.values() if not message.due]
        backlog = Counter((message.destination, message.priority) for message in due)
        first = {(message.destination, message.priority): message.id for message in reversed(due)}
        fading = {message.destination for message in due if message.expires}
        return Loaded(self._next_number, held, dict(backlog), first, fading, noted=self.noted.copy())

    def submit(self, batch: Batch, done: Done) -> None:
        """Apply the batch."""
        for message in batch.inserts:
            self.messages[message.id] = message
            self._next_number = max(self._next_number, message.id + 1)
            if not message.due:
                key = (message.destination, message.priority)
                self._lanes.setdefault(key, []).append(message.id)
                self._alive[key] += 1
        for message, count in batch.counts.items():
            if message.id in self.messages:
                self.messages[message.id].count = count
        for message in batch.deletes:
            gone = self.messages.pop(message.id, None)
            if gone is not None and not gone.due:
                self._forget(gone.destination, gone.priority)
        if batch.notes is not None:
            self.noted.apply(batch.notes)
            if batch.notes.ended:
                self._empty(batch.notes)
        done(None)

    def _forget(self, destination: str, priority: int) -> None:
        key = (destination, priority)
        self._alive[key] -= 1
        left = self._alive[key]
        if not left:
            del self._lanes[key], self._alive[key]
        elif len(self._lanes[key]) > 2 * left + _FEW:
            self._lanes[key] = [number for number in self._lanes[key] if number in self.messages]

    def _empty(self, notes: Notes) -> None:
        ended = {row.queue for row in notes.ended}
        for message in [message for message in self.messages.values() if message.destination in ended]:
            notes.freed += 1
            notes.freed_bytes += len(message.head) + len(message.body)
            del self.messages[message.id]
            if not message.due:
                self._forget(message.destination, message.priority)

    def read(self, page: Page, done: Read) -> None:
        """Look the page up."""
        key = (page.destination, page.priority)
        alive = [number for number in self._lanes.get(key, ()) if number in self.messages]
        start = bisect.bisect_right(alive, page.after)
        done([_again(self.messages[number]) for number in alive[start : start + page.most]])

    def close(self) -> None:
        """Nothing to let go of."""


def _again(message: Message) -> Message:
    """Return a message as a durable store would: another object."""
    other = message.copy(message.id)
    other.count, other.due, other.stored = message.count, message.due, True
    return other
