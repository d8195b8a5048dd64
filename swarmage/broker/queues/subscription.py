"""One SUBSCRIBE: who gets messages, how many at a time, and in which bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swarmage.broker.queues.message import Message
from swarmage.broker.sessions.encoding import head_for

if TYPE_CHECKING:
    from swarmage.broker.queues.queue import Queue
    from swarmage.broker.sessions.session import Session

DEFAULT_PREFETCH = 1_000
UNLIMITED = 1 << 62

_FIRST = b"JMSXGroupFirstForConsumer:true\n"


class Subscription:
    """Takes messages from one queue for one session.

    Attributes:
        id: as the client calls it, empty where a 1.0 client gave none.
        credit: how many more messages it may hold unacknowledged.
        listed: whether its queue's round of takers holds it.
        active: False after UNSUBSCRIBE, and while another one has the queue to itself; what it holds can still be
            acknowledged.
        exclusive: whether it wants the queue to itself.
        cumulative: whether an ACK settles everything before it too.
    """

    __slots__ = (
        "_acked",
        "_foreign",
        "_prefix",
        "active",
        "auto",
        "credit",
        "cumulative",
        "destination",
        "exclusive",
        "id",
        "listed",
        "queue",
        "session",
    )

    def __init__(
        self, session: Session, queue: Queue, *, name: str, destination: str, mode: str, prefetch: int, prefix: bytes
    ) -> None:
        self.session = session
        self.queue = queue
        self.id = name
        self.destination = destination
        self.auto = mode == "auto"
        self.cumulative = mode == "client"
        self.credit = UNLIMITED if self.auto else prefetch
        self.listed = False
        self.active = True
        self.exclusive = False
        self._prefix = prefix
        self._acked = not self.auto and session.version == "1.2"
        self._foreign = session.version != "1.2"

    def take(self, message: Message) -> None:
        """Send the message to the client and remember that it is there."""
        session = self.session
        if self.auto:
            session.hub.journal.remove(message)
        else:
            self.credit -= 1
            message.holder = self
            session.unacked[message.id] = message
            self.queue.in_flight += 1
        session.write(self.encode(message))

    def take_first(self, message: Message) -> None:
        """Take a message and tell the client that it is the first one of its group, as far as the bus knows."""
        prefix = self._prefix
        self._prefix = prefix + _FIRST
        self.take(message)
        self._prefix = prefix

    def encode(self, message: Message) -> bytes:
        """Write the MESSAGE frame, in one step because this is done for every delivery."""
        head = message.head
        if self._foreign:
            head = head_for(self.session.version, head)
        number = message.id
        if message.count:
            head = b"redelivered:true\ndelivery-count:%d\n%b" % (message.count, head)
        if self._acked:
            return b"%bmessage-id:%d\nack:%d\n%b%b\0" % (self._prefix, number, number, head, message.body)
        return b"%bmessage-id:%d\n%b%b\0" % (self._prefix, number, head, message.body)

    def settled(self, message: Message) -> None:
        """Free the credit that the message took."""
        del self.session.unacked[message.id]
        message.holder = None
        queue = self.queue
        queue.in_flight -= 1
        self.credit += 1
        if queue.groups is not None:
            queue.groups.settled(self, message)
        if not self.listed:
            self.wake()

    def wake(self) -> None:
        """Join the queue's round again when there is room."""
        if self.active and not self.listed and self.credit > 0 and not self.session.choked:
            self.listed = True
            self.queue.takers.append(self)
            if self.queue.waiting.count:
                self.session.hub.mark(self.queue)
