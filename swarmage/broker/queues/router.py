"""From destinations to queues: names, arrival, delay, expiry.

From: journal, or session for what is not stored.  To: queue.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from swarmage.broker.admin.rates import Tally
from swarmage.broker.queues.message import Message
from swarmage.broker.queues.queue import Queue
from swarmage.broker.queues.subscription import Subscription
from swarmage.broker.queues.topics import Topics
from swarmage.broker.queues.values import VALUE, Values
from swarmage.broker.refused import Refused
from swarmage.broker.storage.notes import DURABLE

if TYPE_CHECKING:
    from swarmage.broker.sessions.session import Session

QUEUE = "/queue/"
TOPIC = "/topic/"
TEMPORARY = "/temp-queue/"
REPLY = "/reply-queue/"

_LONGEST = 255  # bytes of a name, without what stands in front of it
_DEAD_LONGER = 40


class Router:
    """Knows every queue, and what is held back for later.

    Attributes:
        queues: shared and temporary queues by full name.
        topics: who listens to which topics.
        values: what stands in destinations that hold one message.
        forgotten: the counts of queues that are no more.
    """

    def __init__(
        self, mark: Callable[[Queue], None], next_number: Callable[[], int], overflow: Callable[[Session, str], None],
        private_backlog: int,
    ) -> None:  # fmt: skip
        self.queues: dict[str, Queue] = {}
        self.forgotten = Tally()
        self.topics: Topics[Subscription] = Topics()
        self.values = Values()
        self._mark = mark
        self._next_number = next_number
        self._overflow = overflow
        self._private_backlog = private_backlog
        self._delayed: list[tuple[float, int, Message]] = []

    def resolve(self, session: Session, destination: str) -> str:
        """Return the full name of what a client calls ``destination``.

        Raises:
            Refused: there is no such kind of destination, or it is gone.
        """
        if not destination.startswith("/"):
            destination = QUEUE + destination
        elif destination.startswith(TEMPORARY):
            destination = reply_name(session, destination)
        if destination.startswith(REPLY):
            if destination not in self.queues:
                raise Refused(f"the temporary queue {destination} is gone")
        elif not destination.startswith((QUEUE, TOPIC, VALUE)) or len(destination) <= len(QUEUE):
            raise Refused(f"unknown destination {destination}; there are /queue/, /topic/, /temp-queue/ and /value/")
        else:
            check_name(destination)
        return destination

    def queue(self, name: str) -> Queue:
        """Return the shared queue of this name, making it on the first use."""
        queue = self.queues.get(name)
        if queue is None:
            queue = self.queues[name] = Queue(name)
        return queue

    def temporary(self, session: Session, destination: str) -> Queue:
        """Return the session's own queue for a ``/temp-queue/NAME``, making it on the first use."""
        name = reply_name(session, destination)
        queue = self.queues.get(name)
        if queue is None:
            check_name(destination)
            most = session.hub.limits.temporary_queues
            if len(session.temporary) >= most:
                raise Refused(f"more than {most} temporary queues")
            queue = self.queues[name] = Queue(name, session)
            session.temporary.append(name)
        return queue

    def forget(self, session: Session) -> None:
        """Delete a session's temporary queues."""
        for name in session.temporary:
            self.queues.pop(name, None)

    def arrive(self, message: Message) -> None:
        """Let a message in that is durable, or need not be."""
        if message.release:
            heapq.heappush(self._delayed, (message.release, message.id, message))
            self._count_delayed(message.destination, 1)
        else:
            self._enqueue(message)

    def _count_delayed(self, name: str, by: int) -> None:
        if name.startswith(QUEUE):
            self.queue(name).delayed += by
        elif name.startswith(DURABLE) and name in self.queues:
            self.queues[name].delayed += by

    def _enqueue(self, message: Message) -> None:
        name = message.destination
        queue = self.queues.get(name)
        if queue is None:
            if name.startswith(TOPIC):
                for listener in self.topics.listeners(name):
                    self._put(listener.queue, message.copy(self._next_number()))
                return
            if name.startswith(VALUE):
                self.values.arrive(message)
                return
            if not name.startswith(QUEUE):
                return  # a temporary queue or a durable subscription that went away in the meantime
            queue = self.queue(name)
        self._put(queue, message)

    def _put(self, queue: Queue, message: Message) -> None:
        queue.put(message)
        if not queue.marked:
            self._mark(queue)
        queue.tally.came += 1
        if queue.owner is not None and queue.waiting.count > self._private_backlog:
            self._overflow(queue.owner, queue.name)

    @property
    def next_due(self) -> float | None:
        """When the next delayed message is due, on the monotonic clock."""
        return self._delayed[0][0] if self._delayed else None

    def release_due(self, now: float) -> None:
        """Let in what was held back until now."""
        while self._delayed and self._delayed[0][0] <= now:
            message = heapq.heappop(self._delayed)[2]
            message.release = 0.0
            self._count_delayed(message.destination, -1)
            self._enqueue(message)

    def delayed(self) -> Iterator[Message]:
        """Go through what is held back, in no order."""
        return (message for _, _, message in self._delayed)

    def sweep(self, wall_ms: float) -> list[Message]:
        """Take out and return what has expired, and forget queues that nobody uses."""
        expired: list[Message] = []
        for name, queue in list(self.queues.items()):
            if queue.may_expire:
                gone = queue.waiting.remove(lambda message: 0 < message.expires <= wall_ms)
                queue.tally.expired += len(gone)
                expired += gone
                queue.may_expire = queue.waiting.count > 0
                if queue.groups is not None and not queue.marked:  # the queue may have waited for one of these to go
                    self._mark(queue)
            if queue.owner is None and queue.idle and not name.startswith(DURABLE):
                self.forgotten.add(queue.tally)
                del self.queues[name]
        return expired


def check_name(destination: str) -> None:
    """Let through what can be told of in one line of a log.

    Raises:
        Refused: the name is too long, or holds what cannot be printed.
    """
    name = destination.split("/", 2)[-1]
    # What is rejected goes to the dead letters however long the name of its queue is.
    most = _LONGEST + _DEAD_LONGER if name.startswith("DLQ.") else _LONGEST
    if len(name.encode()) > most:
        raise Refused(f"a destination's name is longer than {most} bytes: {name[:40]!r}...")
    if not destination.isprintable():
        raise Refused(f"a destination's name may hold no characters that cannot be printed: {destination!r}")


def reply_name(session: Session, destination: str) -> str:
    """Return how the rest of the world calls a session's temporary queue."""
    name = destination.removeprefix(TEMPORARY)
    if not name:
        raise Refused("a temporary queue needs a name: /temp-queue/NAME")
    return f"{REPLY}{session.id}.{name}"
