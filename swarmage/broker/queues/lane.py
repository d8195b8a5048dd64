"""Messages of one priority that wait, in the order of their numbers.

Of a long lane only the head is in memory. What arrives behind it stays where it is safe anyway, in the store, and is
counted; when the head has become short, the next page is read. So a backlog costs disk, not memory.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator

from swarmage.broker.queues.message import Message
from swarmage.broker.storage.store import Page

HEAD = 4_000
"""Messages of one queue and priority that are kept in memory: some hundredths of a second of work."""

HEAD_BYTES = 4 * 1024 * 1024
"""Bytes of them, whichever is reached first."""

PAGES = 4
"""In so many pages the head is read: while one of them is on its way, the others are handed out."""


class Lane:
    """Messages of one priority.

    Nearly all arrive in order of their number and cost one append. What comes out of order, given back or delayed,
    goes to a heap, so no pattern of returns makes a long queue slow.

    Attributes:
        priority: of all of them.
        paged: how many are in the store alone.
        last: the highest number that ever came into memory; what is in the store alone comes behind it.
        loading: whether a page is being read.
    """

    __slots__ = ("_bytes", "_in_order", "_out_of_order", "last", "loading", "paged", "priority")

    def __init__(self, priority: int) -> None:
        self.priority = priority
        self.paged = 0
        self.last = 0
        self.loading = False
        self._in_order: deque[Message] = deque()
        self._out_of_order: list[tuple[int, Message]] = []
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._in_order) + len(self._out_of_order)

    def __iter__(self) -> Iterator[Message]:
        returned = [message for _, message in sorted(self._out_of_order)]
        return heapq.merge(returned, self._in_order, key=lambda message: message.id)

    def put(self, message: Message) -> None:
        """Add at the place of its number, or leave it in the store when there is much before it."""
        if message.id > self.last and message.stored and not message.due:
            if self.paged or self.loading or len(self._in_order) >= HEAD or self._bytes >= HEAD_BYTES:
                self.paged += 1
                return
            self.last = message.id
        self.keep(message)

    def keep(self, message: Message) -> None:
        """Add at the place of its number, in memory."""
        self._bytes += len(message.body)
        if self._in_order and message.id < self._in_order[-1].id:
            heapq.heappush(self._out_of_order, (message.id, message))
        else:
            self._in_order.append(message)

    def pop(self) -> Message | None:
        """Take the one with the lowest number, None when the store has to be read first."""
        returned, in_order = self._out_of_order, self._in_order
        if returned and (not in_order or returned[0][0] < in_order[0].id):
            if self.paged and returned[0][0] > self.last:
                return None
            message = heapq.heappop(returned)[1]
        elif in_order:
            if self.paged and in_order[0].id > self.last:
                return None
            message = in_order.popleft()
        else:
            return None
        self._bytes -= len(message.body)
        return message

    @property
    def oldest(self) -> int | None:
        """The lowest number, or one not far below it while it is being read; None where there is none."""
        first = [self._out_of_order[0][0]] if self._out_of_order else []
        if self._in_order:
            first.append(self._in_order[0].id)
        if self.paged > 0:
            first.append(self.last + 1)
        return min(first, default=None)

    @property
    def first(self) -> Message | None:
        """What `pop` would take."""
        if self.paged and self._ahead:
            return None
        returned = self._out_of_order
        if returned and (not self._in_order or returned[0][0] < self._in_order[0].id):
            return returned[0][1]
        return self._in_order[0] if self._in_order else None

    @property
    def hungry(self) -> bool:
        """Whether it is time to read the next page."""
        if self.paged <= 0 or self.loading:
            return False
        return (len(self) <= HEAD - HEAD // PAGES and self._bytes <= HEAD_BYTES - HEAD_BYTES // PAGES) or self._ahead

    def next_page(self, destination: str) -> Page:
        """Begin to load: return what the store is to read next.

        That is all there is room for, and a page at least. A page waits for the group commit that is on its way, and
        where consumers take more than a page meanwhile, larger ones make up for it.
        """
        self.loading = True
        most = max(1, HEAD // PAGES, HEAD - len(self))
        return Page(destination, self.priority, self.last, most, max(HEAD_BYTES // PAGES, HEAD_BYTES - self._bytes))

    @property
    def _ahead(self) -> bool:
        """Whether all in memory come behind what is in the store alone: they were held back, or are not stored."""
        returned, in_order = self._out_of_order, self._in_order
        return not (returned and returned[0][0] <= self.last) and not (in_order and in_order[0].id <= self.last)

    def take_page(self, page: list[Message]) -> None:
        """Take in what the store returned for the numbers behind `last`."""
        self.loading = False
        # The store may know of more than was counted when it was asked, but never of less, unless it was all.
        self.paged = max(0, self.paged - len(page)) if page else 0
        for message in page:
            self.last = message.id
            self.keep(message)

    def refill(self, messages: list[Message]) -> None:
        """Hold exactly these in memory, which are in order."""
        self._in_order = deque(messages)
        self._out_of_order = []
        self._bytes = sum(len(message.body) for message in messages)
