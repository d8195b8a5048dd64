"""Message groups: messages with the same ``JMSXGroupID`` go to one subscription at a time, in order.

From: queue.  To: subscription.
"""

from __future__ import annotations

import heapq
import zlib
from collections import deque
from typing import TYPE_CHECKING

from swarmage.broker.queues.message import Message
from swarmage.broker.queues.parking import Bucket, Parking

if TYPE_CHECKING:
    from swarmage.broker.queues.subscription import Subscription
    from swarmage.broker.queues.waiting import Waiting

GROUP = "JMSXGroupID"
GROUP_LINE = b"JMSXGroupID:"

BUCKETS = 1_024
"""Into how many the keys of a queue are sorted, so that any number of keys takes bounded memory."""

KEYS_SEEN = 64
"""Keys of one bucket that are known to have been delivered to its owner; with one more, all are forgotten."""


def group_of(head: bytes) -> bytes | None:
    """Return the key that header lines name, as they write it; None where there is none or an empty one."""
    start = head.find(GROUP_LINE)
    while start > 0 and head[start - 1] != ord("\n"):  # the end of a longer name
        start = head.find(GROUP_LINE, start + 1)
    if start < 0:
        return None
    start += len(GROUP_LINE)
    return head[start : head.find(b"\n", start)] or None


class Groups:
    """Hands out what waits in one queue as soon as a message of a group was in it."""

    __slots__ = ("_buckets", "_parking", "_round", "_takers", "_waiting")

    def __init__(self, waiting: Waiting, takers: deque[Subscription]) -> None:
        """Begin with no bucket assigned.

        Args:
            waiting: of the queue; it shows what is parked here too.
            takers: of the queue, in the order of their turn.
        """
        self._waiting = waiting
        self._takers = takers
        self._parking = waiting.parking = Parking()
        self._buckets: dict[int, Bucket] = {}
        self._round = 0

    def dispatch(self, wall_ms: float) -> tuple[int, list[Message]]:
        """Do what `Queue.dispatch` does, and keep groups together.

        A message whose owner has no room is parked and holds nobody up. What is parked leaves in the order of priority
        and number, as if it still stood in the queue.
        """
        handed = 0
        expired: list[Message] = []
        ready = [
            (entry[0], entry[1], place)
            for place, entry in self._parking.firsts()
            if not isinstance(place, Bucket) and self._has_room(place)
        ]
        heapq.heapify(ready)
        stuck = False
        while True:
            message = None if stuck else self._waiting.first
            if ready and self._leaves_first(ready[0], message):
                handed += self._take_parked(ready, wall_ms, expired)
            elif message is None or self._next_taker() is None:
                return handed, expired
            elif message.expires and message.expires <= wall_ms:
                self._waiting.pop()
                expired.append(message)
            elif self._hand_out(message):
                handed += 1
            elif self._parking.full:
                stuck = True
            else:
                self._park(message)

    def changed(self, *, joined: bool) -> None:
        """Give out anew what may go elsewhere, since a subscription has come, gone, or has or lost the queue to itself.

        Args:
            joined: whether one has come, who is to get a share of the buckets whose messages nobody holds.
        """
        self._waiting.unpark()
        if joined:
            self._round += 1
        for bucket in self._buckets.values():
            if bucket.owner is not None and not bucket.owner.active and not bucket.held:
                bucket.owner = None

    def settled(self, holder: Subscription, message: Message) -> None:
        """Take note that a delivered message is settled or about to be given back."""
        if message.group is None:
            return
        bucket = self._bucket(message.group)
        bucket.held -= 1
        if not bucket.held and not holder.active:
            bucket.owner = None
            self._waiting.unpark(bucket)
            holder.session.hub.mark(holder.queue)

    def _bucket(self, group: bytes) -> Bucket:
        number = zlib.crc32(group) % BUCKETS
        bucket = self._buckets.get(number)
        if bucket is None:
            bucket = self._buckets[number] = Bucket()
        return bucket

    def _next_taker(self) -> Subscription | None:
        """Return whose turn it is among those with room."""
        while self._takers:
            if self._has_room(self._takers[0]):
                return self._takers[0]
        return None

    def _has_room(self, taker: Subscription) -> bool:
        """Whether the subscription has room; otherwise it loses its turn, so that it says when it has room again."""
        if taker.active and taker.credit > 0 and not taker.session.choked:
            return True
        if taker.listed:
            self._takers.remove(taker)
            taker.listed = False
        return False

    def _leaves_first(self, parked: tuple[int, int, Subscription], message: Message | None) -> bool:
        """Whether what is parked goes before the first message that waits, None if nothing may leave there."""
        if message is not None:
            return parked[:2] < (-message.priority, message.id)
        awaited = self._waiting.awaited
        return awaited is None or -parked[0] >= awaited

    def _hand_out(self, message: Message) -> bool:
        """Deliver the first message that waits, and return whether whoever is to get it has room."""
        taker = self._takers[0]
        if message.group is None:
            self._waiting.pop()
            self._takers.rotate(-1)
            taker.take(message)
            return True
        bucket = self._bucket(message.group)
        if not (bucket.held or bucket.parked) and (bucket.owner is None or bucket.round != self._round):
            self._assign(bucket, taker)
        owner = bucket.owner
        assert owner is not None
        if not self._has_room(owner):
            return False
        self._waiting.pop()
        self._deliver(owner, bucket, message)
        return True

    def _assign(self, bucket: Bucket, taker: Subscription) -> None:
        if bucket.owner is not taker:
            bucket.owner = taker
            bucket.seen.clear()
        bucket.round = self._round
        self._takers.rotate(-1)

    def _park(self, message: Message) -> None:
        """Let the first message that waits wait for its owner alone, or for its bucket when the owner takes no more."""
        assert message.group is not None
        bucket = self._bucket(message.group)
        assert bucket.owner is not None
        self._waiting.pop()
        self._waiting.count += 1  # it waits on
        self._parking.park(bucket.owner if bucket.owner.active else bucket, bucket, message)

    def _take_parked(self, ready: list[tuple[int, int, Subscription]], wall_ms: float, expired: list[Message]) -> int:
        """Deliver what is parked for the first of those who have room, and return how many messages that is."""
        owner = heapq.heappop(ready)[2]
        if not self._has_room(owner):
            return 0
        _, _, message, bucket = self._parking.pop(owner)
        self._waiting.count -= 1
        handed = 0
        if message.expires and message.expires <= wall_ms:
            expired.append(message)
        else:
            self._deliver(owner, bucket, message)
            handed = 1
        following = self._parking.first(owner)
        if following is not None:
            heapq.heappush(ready, (following[0], following[1], owner))
        return handed

    def _deliver(self, owner: Subscription, bucket: Bucket, message: Message) -> None:
        if not owner.auto:
            bucket.held += 1
        key = hash(message.group)
        if key in bucket.seen:
            owner.take(message)
            return
        if len(bucket.seen) >= KEYS_SEEN:
            bucket.seen.clear()
        bucket.seen.add(key)
        owner.take_first(message)
