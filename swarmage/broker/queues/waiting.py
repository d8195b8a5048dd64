"""Messages that wait in a queue, in the order they leave: by priority, inside one priority by number."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from swarmage.broker.queues.lane import Lane
from swarmage.broker.queues.message import Message
from swarmage.broker.queues.parking import Bucket, Parking


class Waiting:
    """Messages of all priorities.

    Attributes:
        count: how many wait, in memory or not.
        lanes: by falling priority.
        parking: those that wait for one subscription alone, None in a queue without groups.
    """

    __slots__ = ("_by_priority", "count", "lanes", "parking")

    def __init__(self) -> None:
        self._by_priority: dict[int, Lane] = {}
        self.lanes: list[Lane] = []
        self.count = 0
        self.parking: Parking | None = None

    def __iter__(self) -> Iterator[Message]:
        """Go through those in memory."""
        if self.parking is not None:
            yield from self.parking
        for lane in self.lanes:
            yield from lane

    def lane(self, priority: int) -> Lane:
        """Return the lane of a priority, made on first use."""
        lane = self._by_priority.get(priority)
        if lane is None:
            lane = self._by_priority[priority] = Lane(priority)
            self.lanes = [self._by_priority[each] for each in sorted(self._by_priority, reverse=True)]
        return lane

    @property
    def oldest(self) -> int | None:
        """The lowest number, or one not far below it while it is being read; None where nothing waits."""
        parked = [message.id for message in self.parking or ()]
        return min(parked + [lane.oldest for lane in self.lanes if lane.oldest is not None], default=None)

    def put(self, message: Message) -> None:
        """Add at the place its priority and number give it."""
        lane = self._by_priority.get(message.priority)
        if lane is None:
            lane = self.lane(message.priority)
        lane.put(message)
        self.count += 1

    def leave_in_store(self, priority: int, count: int, after: int) -> None:
        """Count messages that the store has and nobody else; all their numbers are higher than ``after``."""
        lane = self.lane(priority)
        lane.paged += count
        lane.last = after
        self.count += count

    def take_page(self, lane: Lane, page: list[Message]) -> None:
        """Take in a page that was read for a lane."""
        before = len(lane) + lane.paged
        lane.take_page(page)
        self.count += len(lane) + lane.paged - before

    def pop(self) -> Message | None:
        """Take the next one; None when there is none, or the store has to be read first."""
        for lane in self.lanes:
            message = lane.pop()
            if message is not None:
                self.count -= 1
                return message
            if lane.paged:
                return None
        return None

    @property
    def first(self) -> Message | None:
        """What `pop` would take."""
        for lane in self.lanes:
            message = lane.first
            if message is not None or lane.paged:
                return message
        return None

    @property
    def awaited(self) -> int | None:
        """The priority of messages that have to be read from the store before any behind them may leave."""
        for lane in self.lanes:
            if lane.first is not None:
                return None
            if lane.paged:
                return lane.priority
        return None

    def unpark(self, bucket: Bucket | None = None) -> None:
        """Let what is parked, and so is counted, stand at its place again: all, or what waits for one bucket."""
        if self.parking is not None:
            for message in self.parking.empty_all() if bucket is None else self.parking.empty(bucket):
                self.lane(message.priority).keep(message)

    def remove(self, unwanted: Callable[[Message], bool]) -> list[Message]:
        """Take out and return what is in memory and not wanted any more."""
        removed = self.parking.remove(unwanted) if self.parking is not None else []
        for lane in self.lanes:
            kept: list[Message] = []
            for message in lane:
                (removed if unwanted(message) else kept).append(message)
            lane.refill(kept)
        self.count -= len(removed)
        return removed
