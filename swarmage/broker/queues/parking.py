"""Messages of groups that wait for one subscription alone, beside the others of their queue.

From: groups.  To: groups, and back to waiting.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from swarmage.broker.queues.message import Message

if TYPE_CHECKING:
    from swarmage.broker.queues.subscription import Subscription

MOST_PARKED = 1_000
"""Messages of one queue that may be parked; behind them the queue waits."""

MOST_PARKED_BYTES = 4 * 1024 * 1024
"""Bytes of them, whichever is reached first."""


class Bucket:
    """The keys of one remainder, which go together.

    Attributes:
        owner: the subscription that gets their messages, None while nobody does. One that takes no more stays the owner
            until all it holds is settled or given back.
        round: the round of subscriptions in which it became the owner.
        held: messages delivered to the owner and not settled yet.
        parked: messages that wait for the owner, or for the end of its time.
        seen: hashes of keys of which the owner got a message.
    """

    __slots__ = ("held", "owner", "parked", "round", "seen")

    def __init__(self) -> None:
        self.owner: Subscription | None = None
        self.round = 0
        self.held = 0
        self.parked = 0
        self.seen: set[int] = set()


Entry = tuple[int, int, Message, Bucket]


class Parking:
    """Who waits for whom: for a subscription to have room, or for a bucket to be free of one that takes no more."""

    __slots__ = ("_bytes", "_count", "_heaps")

    def __init__(self) -> None:
        self._heaps: dict[Subscription | Bucket, list[Entry]] = {}
        self._count = 0
        self._bytes = 0

    def __iter__(self) -> Iterator[Message]:
        for heap in self._heaps.values():
            for entry in sorted(heap):
                yield entry[2]

    @property
    def full(self) -> bool:
        """Whether nothing more may be parked."""
        return self._count >= MOST_PARKED or self._bytes >= MOST_PARKED_BYTES

    def park(self, place: Subscription | Bucket, bucket: Bucket, message: Message) -> None:
        """Put a message of a bucket where it waits."""
        heapq.heappush(self._heaps.setdefault(place, []), (-message.priority, message.id, message, bucket))
        bucket.parked += 1
        self._count += 1
        self._bytes += len(message.body)

    def firsts(self) -> Iterator[tuple[Subscription | Bucket, Entry]]:
        """Go through the places and what is to leave each of them first."""
        return ((place, heap[0]) for place, heap in self._heaps.items())

    def first(self, place: Subscription | Bucket) -> Entry | None:
        """Return what is to leave this place first, if there is anything."""
        heap = self._heaps.get(place)
        return heap[0] if heap else None

    def pop(self, place: Subscription | Bucket) -> Entry:
        """Take out what is to leave this place first, of which there must be something."""
        heap = self._heaps[place]
        entry = heapq.heappop(heap)
        if not heap:
            del self._heaps[place]
        self._out(entry)
        return entry

    def empty(self, place: Subscription | Bucket) -> list[Message]:
        """Take out all that waits in one place."""
        entries = self._heaps.pop(place, [])
        for entry in entries:
            self._out(entry)
        return [entry[2] for entry in entries]

    def empty_all(self) -> list[Message]:
        """Take out all."""
        return [message for place in list(self._heaps) for message in self.empty(place)]

    def remove(self, unwanted: Callable[[Message], bool]) -> list[Message]:
        """Take out and return what is not wanted any more."""
        removed: list[Message] = []
        for place in list(self._heaps):
            heap = self._heaps.pop(place)
            kept: list[Entry] = []
            for entry in heap:
                if unwanted(entry[2]):
                    self._out(entry)
                    removed.append(entry[2])
                else:
                    kept.append(entry)
            if kept:
                heapq.heapify(kept)
                self._heaps[place] = kept
        return removed

    def _out(self, entry: Entry) -> None:
        entry[3].parked -= 1
        self._count -= 1
        self._bytes -= len(entry[2].body)
