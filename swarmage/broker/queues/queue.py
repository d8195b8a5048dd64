"""One queue: what waits in it, who takes from it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from swarmage.broker.admin.rates import Tally
from swarmage.broker.queues.groups import GROUP_LINE, Groups, group_of
from swarmage.broker.queues.lane import Lane
from swarmage.broker.queues.message import Message
from swarmage.broker.queues.waiting import Waiting

if TYPE_CHECKING:
    from swarmage.broker.queues.subscription import Subscription
    from swarmage.broker.sessions.session import Session


class Queue:
    """A named queue, or the private one behind a topic subscription or a temporary queue.

    Attributes:
        name: its full name, such as ``/queue/foo``.
        owner: the session it goes away with, None for a queue of everybody.
        waiting: messages nobody holds.
        takers: subscriptions that may have room, in the order of their turn.
        subscriptions: all of them, with room or without, in the order in which they came.
        chosen: the exclusive one that gets everything, None when there is none.
        groups: who gets which message groups, None as long as no message of a group was here.
        in_flight: messages delivered and not settled yet.
        delayed: messages held back until they are due.
        marked: whether it is noted for the next dispatch.
        tally: how many came and went.
        may_expire: whether a message with an expiry was ever put in.
    """

    __slots__ = (
        "chosen",
        "delayed",
        "groups",
        "in_flight",
        "marked",
        "may_expire",
        "name",
        "owner",
        "subscriptions",
        "takers",
        "tally",
        "waiting",
    )

    def __init__(self, name: str, owner: Session | None = None) -> None:
        self.name = name
        self.owner = owner
        self.waiting = Waiting()
        self.takers: deque[Subscription] = deque()
        self.subscriptions: list[Subscription] = []
        self.chosen: Subscription | None = None
        self.groups: Groups | None = None
        self.in_flight = 0
        self.delayed = 0
        self.marked = False
        self.tally = Tally()
        self.may_expire = False

    def put(self, message: Message) -> None:
        """Add a message, new or given back, at the place of its number."""
        if message.expires:
            self.may_expire = True
        if message.group is not None:
            self._keep_groups()
        self.waiting.put(message)

    def feed(self, lane: Lane, page: list[Message]) -> None:
        """Take in a page that was read for a lane, and find the groups in it."""
        for message in page:
            if GROUP_LINE in message.head:
                message.group = group_of(message.head)
                if message.group is not None:
                    self._keep_groups()
        self.waiting.take_page(lane, page)

    def _keep_groups(self) -> None:
        if self.groups is None and self.owner is None:
            self.groups = Groups(self.waiting, self.takers)

    def dispatch(self, wall_ms: float) -> tuple[int, list[Message]]:
        """Hand out what waits while somebody has room; return how many, and what had expired."""
        if self.groups is not None:
            return self.groups.dispatch(wall_ms)
        waiting, takers = self.waiting, self.takers
        handed = 0
        expired: list[Message] = []
        while takers:
            taker = takers[0]
            if taker.credit <= 0 or taker.session.choked:
                takers.popleft()
                taker.listed = False
                continue
            message = waiting.pop()
            if message is None:
                break
            if message.expires and message.expires <= wall_ms:
                expired.append(message)
                continue
            takers.rotate(-1)
            taker.take(message)
            handed += 1
        return handed, expired

    @property
    def consumers(self) -> int:
        """How many subscriptions there are."""
        return len(self.subscriptions)

    def join(self, subscription: Subscription) -> None:
        """Let a subscription have its turn, if nobody has the queue to himself."""
        self.subscriptions.append(subscription)
        if subscription.exclusive or self.chosen is not None:
            self._choose()
        if self.groups is not None:
            self.groups.changed(joined=True)
        subscription.wake()

    def leave(self, subscription: Subscription) -> None:
        """Hand out nothing more to this subscription, and let those that waited for its end have their turn."""
        self.subscriptions.remove(subscription)
        self._stop(subscription)
        if self.chosen is not None:
            self._choose()
        if self.groups is not None:
            self.groups.changed(joined=False)

    def _choose(self) -> None:
        """Let the exclusive subscription that came first have the queue to itself, or all when there is none."""
        self.chosen = next((each for each in self.subscriptions if each.exclusive), None)
        for each in self.subscriptions:
            if self.chosen is None or each is self.chosen:
                each.active = True
                each.wake()
            else:
                self._stop(each)

    def _stop(self, subscription: Subscription) -> None:
        subscription.active = False
        if subscription.listed:
            self.takers.remove(subscription)
            subscription.listed = False

    @property
    def idle(self) -> bool:
        """Whether forgetting the queue would lose nothing."""
        return not (self.waiting.count or self.subscriptions or self.in_flight or self.delayed)
