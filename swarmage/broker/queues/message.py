"""One message on its way through the bus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swarmage.broker.queues.subscription import Subscription

DEFAULT_PRIORITY = 4


@dataclass(frozen=True, slots=True)
class Special:
    """What publishing a message takes besides.

    Attributes:
        dedupe: the key under which it is seen only once for a while, None for no such wish.
        lasting: whether durable subscriptions to its topic get it.
        value: whether it takes the place of the one before it.
    """

    dedupe: bytes | None
    lasting: bool
    value: bool = False


LASTING = Special(None, lasting=True)


class Message:
    """One message; a class with slots because millions may wait.

    Attributes:
        id: its sequence number, which is also its place in the queue, its message-id and its ack id.
        destination: the full name of where it goes.
        head: header lines as STOMP 1.2 encodes them, from ``destination`` to the blank line.
        due: when it may be delivered, in wall-clock milliseconds, 0 for at once.
        release: the same on the monotonic clock of this process, which is what counts while it runs.
        expires: when it is worth nothing any more, in wall-clock milliseconds, 0 for never.
        count: deliveries that ended without an acknowledgement.
        stored: whether it is, or will be, on disk.
        special: what publishing it takes besides, None for nothing.
        holder: the subscription it was delivered to and that has not settled it yet.
        group: the key of its message group as the head writes it, None where it has none.
        place: where the store has it: the number of its pack, its place there, and how many that held; None for by
            itself.
    """

    __slots__ = (
        "body",
        "count",
        "destination",
        "due",
        "expires",
        "group",
        "head",
        "holder",
        "id",
        "place",
        "priority",
        "release",
        "special",
        "stored",
    )

    def __init__(self, number: int, destination: str, head: bytes, body: bytes) -> None:
        self.id = number
        self.destination = destination
        self.head = head
        self.body = body
        self.priority = DEFAULT_PRIORITY
        self.due = 0
        self.release = 0.0
        self.expires = 0
        self.count = 0
        self.stored = False
        self.special: Special | None = None
        self.holder: Subscription | None = None
        self.group: bytes | None = None
        self.place: tuple[int, int, int] | None = None

    def copy(self, number: int) -> Message:
        """Return the same content under another number, not stored."""
        other = Message(number, self.destination, self.head, self.body)
        other.priority = self.priority
        other.expires = self.expires
        other.group = self.group
        return other


class Damaged(Message):
    """What a store holds of a message that is not as it was written.

    Attributes:
        reason: what does not fit.
    """

    __slots__ = ("reason",)

    def __init__(self, number: int, destination: str, head: bytes, body: bytes, reason: str) -> None:
        super().__init__(number, destination, head, body)
        self.reason = reason
