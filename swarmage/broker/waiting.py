"""Messages that wait, in the order they leave: by priority, inside one priority by number."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator

from swarmage.broker.message import Message


class Lane:
    """Messages of one priority.

    Nearly all arrive in order of their number and cost one append. What comes out of order, given back or delayed,
    goes to a heap, so no pattern of returns makes a long queue slow.
    """

    __slots__ = ("_in_order", "_out_of_order")

    def __init__(self) -> None:
        self._in_order: deque[Message] = deque()
        self._out_of_order: list[tuple[int, Message]] = []

    def __bool__(self) -> bool:
        return bool(self._in_order or self._out_of_order)

    def __iter__(self) -> Iterator[Message]:
        returned = [message for _, message in sorted(self._out_of_order)]
        return heapq.merge(returned, self._in_order, key=lambda message: message.id)

    def put(self, message: Message) -> None:
        """Add at the place of its number."""
        if self._in_order and message.id < self._in_order[-1].id:
            heapq.heappush(self._out_of_order, (message.id, message))
        else:
            self._in_order.append(message)

    def pop(self) -> Message:
        """Take the one with the lowest number."""
        returned = self._out_of_order
        if returned and (not self._in_order or returned[0][0] < self._in_order[0].id):
            return heapq.heappop(returned)[1]
        return self._in_order.popleft()

    def refill(self, messages: list[Message]) -> None:
        """Hold exactly these, which are in order."""
        self._in_order = deque(messages)
        self._out_of_order = []


class Waiting:
    """Messages of all priorities.

    Attributes:
        count: how many wait.
    """

    __slots__ = ("_lanes", "_order", "count")

    def __init__(self) -> None:
        self._lanes: dict[int, Lane] = {}
        self._order: list[Lane] = []
        self.count = 0

    def __iter__(self) -> Iterator[Message]:
        for lane in self._order:
            yield from lane

    def put(self, message: Message) -> None:
        """Add at the place its priority and number give it."""
        lane = self._lanes.get(message.priority)
        if lane is None:
            lane = self._lanes[message.priority] = Lane()
            self._order = [self._lanes[priority] for priority in sorted(self._lanes, reverse=True)]
        lane.put(message)
        self.count += 1

    def pop(self) -> Message:
        """Take the next one; there must be one."""
        for lane in self._order:
            if lane:
                self.count -= 1
                return lane.pop()
        raise IndexError("nothing waits")

    def remove(self, unwanted: Callable[[Message], bool]) -> list[Message]:
        """Take out and return what is not wanted any more."""
        removed: list[Message] = []
        for lane in self._order:
            kept: list[Message] = []
            for message in lane:
                (removed if unwanted(message) else kept).append(message)
            lane.refill(kept)
        self.count -= len(removed)
        return removed
