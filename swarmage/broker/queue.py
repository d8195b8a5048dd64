"""One queue: what waits in it, who takes from it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from swarmage.broker.message import Message
from swarmage.broker.rates import Tally
from swarmage.broker.waiting import Waiting

if TYPE_CHECKING:
    from swarmage.broker.session import Session
    from swarmage.broker.subscription import Subscription


class Queue:
    """A named queue, or the private one behind a topic subscription or a temporary queue.

    Attributes:
        name: its full name, such as ``/queue/foo``.
        owner: the session it goes away with, None for a queue of everybody.
        waiting: messages nobody holds.
        takers: subscriptions that may have room, in the order of their turn.
        consumers: how many subscriptions there are, with room or without.
        in_flight: messages delivered and not settled yet.
        delayed: messages held back until they are due.
        marked: whether it is noted for the next dispatch.
        tally: how many came and went.
        may_expire: whether a message with an expiry was ever put in.
    """

    __slots__ = (
        "consumers", "delayed", "in_flight", "marked", "may_expire", "name", "owner", "takers", "tally", "waiting",
    )  # fmt: skip

    def __init__(self, name: str, owner: Session | None = None) -> None:
        self.name = name
        self.owner = owner
        self.waiting = Waiting()
        self.takers: deque[Subscription] = deque()
        self.consumers = 0
        self.in_flight = 0
        self.delayed = 0
        self.marked = False
        self.tally = Tally()
        self.may_expire = False

    def put(self, message: Message) -> None:
        """Add a message, new or given back, at the place of its number."""
        if message.expires:
            self.may_expire = True
        self.waiting.put(message)

    def dispatch(self, wall_ms: float) -> tuple[int, list[Message]]:
        """Hand out what waits while somebody has room; return how many, and what had expired."""
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

    def leave(self, subscription: Subscription) -> None:
        """Hand out nothing more to this subscription."""
        subscription.active = False
        self.consumers -= 1
        if subscription.listed:
            self.takers.remove(subscription)
            subscription.listed = False

    @property
    def idle(self) -> bool:
        """Whether forgetting the queue would lose nothing."""
        return not (self.waiting.count or self.consumers or self.in_flight or self.delayed)
