"""Taking what waits out of a queue, to delete it or to put it elsewhere.

From: administration.  To: journal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from swarmage.broker.queues.lane import Lane
from swarmage.broker.queues.message import Message
from swarmage.broker.refused import Refused
from swarmage.broker.sessions.encoding import escape

if TYPE_CHECKING:
    from swarmage.broker.sessions.session import Session


Ended = Callable[[int, Refused | None], None]
"""Told how many messages it were, and why it were not all."""


class Purpose(Protocol):
    """What becomes of messages."""

    def apply(self, messages: list[Message]) -> None:
        """Have the journal note what becomes of them.

        Raises:
            Refused: there is no room for it, and nothing was noted.
        """
        ...


class Purger:
    """Deletes messages."""

    def __init__(self, session: Session) -> None:
        self._hub = session.hub

    def apply(self, messages: list[Message]) -> None:
        """Delete them."""
        for message in messages:
            self._hub.journal.remove(message)


class Mover:
    """Puts messages into another queue: behind what is there, and as if nobody had had them yet."""

    def __init__(self, session: Session, target: str) -> None:
        self._hub = session.hub
        self._target = target

    def apply(self, messages: list[Message]) -> None:
        """Store them there and delete them here, in one batch."""
        copies = [self._readdressed(message) for message in messages]
        self._hub.check(copies)
        for message, copy in zip(messages, copies, strict=True):
            self._hub.journal.remove(message)
            if copy.stored:
                self._hub.journal.insert(copy)
            else:
                self._hub.router.arrive(copy)

    def _readdressed(self, message: Message) -> Message:
        copy = message.copy(self._hub.next_number())
        copy.stored = message.stored
        copy.destination = self._target
        name = escape(self._target).encode()
        lines = [line for line in message.head.split(b"\n") if not line.startswith(b"destination:")]
        # A dead letter that is back where it came from has no other origin, and may die again.
        lines = [line for line in lines if line != b"original-destination:" + name]
        copy.head = b"\n".join([b"destination:" + name, *lines])
        return copy


class Drain:
    """Takes messages that wait, in the order of their delivery, page by page; each page is stored before the next.

    What arrives meanwhile stays, and what is in flight or held back until it is due does. Consumers go on taking.
    """

    def __init__(self, session: Session, name: str, purpose: Purpose, most: int | None, ended: Ended) -> None:
        """Take note of what is to be done; `step` begins it.

        Args:
            session: on whose behalf; with its end the work ends.
            name: the queue.
            purpose: what becomes of the messages.
            most: how many at most, None for all.
            ended: told at the end.
        """
        self._session = session
        self._hub = session.hub
        self._queue = session.hub.router.queue(name)
        self._purpose = purpose
        self._most = most
        self._ended = ended
        self._before = session.hub.next_number()
        self._count = 0

    def step(self) -> None:
        """Do the next page."""
        if self._session.id not in self._hub.sessions:
            return
        journal = self._hub.journal
        # If the disk is full, this session is told, and keeps what it wanted to take.
        speaker, journal.speaker = journal.speaker, self._session
        try:
            more = self._work()
        except Refused as refusal:
            self._ended(self._count, refusal)
        else:
            if not more:
                self._ended(self._count, None)
        finally:
            journal.speaker = speaker

    def _work(self) -> bool:
        """Use what is in memory of the foremost lane, or have more read; return whether to go on later."""
        if self._count == self._most:
            return False
        self._queue.waiting.unpark()  # what is left of it is parked anew by the next dispatch
        self._hub.mark(self._queue)
        for lane in self._queue.waiting.lanes:
            messages = self._take(lane)
            if messages:
                self._use(messages)
                self._hub.journal.after(self.step)
                self._hub.wake()
                return True
            if lane.paged and lane.last < self._before:
                self._hub.paging.then(self._queue, self.step)
                self._hub.paging.feed(self._queue)
                return True
        return False

    def _take(self, lane: Lane) -> list[Message]:
        left = self._most - self._count if self._most is not None else len(lane)
        wanted = {message.id for message in lane if message.id < self._before}
        if len(wanted) > left:
            wanted = set(sorted(wanted)[:left])
        return self._queue.waiting.remove(lambda message: message.id in wanted) if wanted else []

    def _use(self, messages: list[Message]) -> None:
        try:
            self._purpose.apply(messages)
        except Refused:
            for message in messages:
                self._queue.put(message)
            self._hub.mark(self._queue)
            raise
        self._count += len(messages)
