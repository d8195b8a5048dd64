"""Durable subscriptions: topics that are stored for somebody who may be away, in a queue of his own.

From: subscribing, records.  To: queue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from swarmage.broker.queues.message import Message
from swarmage.broker.queues.queue import Queue
from swarmage.broker.queues.topics import Topics
from swarmage.broker.refused import Refused
from swarmage.broker.storage.notes import DURABLE, DurableRow

if TYPE_CHECKING:
    from swarmage.broker.hub import Hub
    from swarmage.broker.sessions.session import Session


NAME_HEADERS = ("durable-subscription-name", "activemq.subscriptionName")
_LONGEST_NAME = 255
_LONGEST_QUEUE = len(DURABLE) + 280  # so that the queue of its dead letters can be named


def name_in(headers: Mapping[str, str]) -> str | None:
    """Return what a SUBSCRIBE or UNSUBSCRIBE calls its durable subscription, None where it is about no such one.

    Raises:
        Refused: the name is missing, too long, or there are two of them.
    """
    names = {headers[header] for header in NAME_HEADERS if header in headers}
    if not names and headers.get("durable") == "true":
        names.add(headers.get("id", ""))
    if not names:
        return None
    if len(names) > 1:
        raise Refused(f"the frame has two names for one durable subscription: {' and '.join(sorted(names))}")
    name = names.pop()
    if not 0 < len(name) <= _LONGEST_NAME:
        raise Refused(f"a durable subscription's name has {len(name)} characters; it must have 1 to {_LONGEST_NAME}")
    return name


class Durable:
    """One durable subscription.

    Attributes:
        row: what the store has of it.
        destination: the topics it hears.
        queue: what waits for it.
        settled: whether it is stored already.
        founders: who waits for that.
    """

    __slots__ = ("destination", "founders", "queue", "row", "settled")

    def __init__(self, row: DurableRow, queue: Queue, *, settled: bool) -> None:
        self.row = row
        self.destination = row.pattern
        self.queue = queue
        self.settled = settled
        self.founders: list[Session] = []


class Durables:
    """All of them."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._by_owner: dict[tuple[str, str], Durable] = {}
        self._topics: Topics[Durable] = Topics()
        self._last = 0

    def __len__(self) -> int:
        return len(self._by_owner)

    def load(self, rows: Iterable[DurableRow]) -> None:
        """Take over what a store holds, before its messages."""
        for row in rows:
            self._add(row, settled=True)

    def get(self, login: str, name: str) -> Durable | None:
        """Return the subscription that a user calls so."""
        return self._by_owner.get((login, name))

    def share(self, session: Session, name: str, pattern: str) -> Queue:
        """Return the queue behind the session's durable subscription, making it on the first use.

        Raises:
            Refused: it is to other topics, there are too many, or the disk is full.
        """
        durable = self.get(session.entry.login, name)
        if durable is None:
            durable = self._open(session.entry.login, name, pattern)
        elif durable.destination != pattern:
            raise Refused(
                f"your durable subscription {name!r} is to {durable.destination}, not to {pattern};"
                " take another name, or end it by an UNSUBSCRIBE that names it"
            )
        if not durable.settled:
            self._hub.journal.changes += 1
            durable.founders.append(session)
        return durable.queue

    def _open(self, login: str, name: str, pattern: str) -> Durable:
        hub = self._hub
        if hub.journal.full is not None:
            raise _no_room(hub.journal.full)
        if len(self) >= hub.limits.durable_subscriptions:
            raise Refused(
                f"the bus has {len(self)} durable subscriptions already; end one by an UNSUBSCRIBE that names it"
            )
        row = DurableRow(self._last + 1, login, name, pattern)
        if len(row.queue) > _LONGEST_QUEUE:
            raise Refused(f"the name of the durable subscription makes one of its queue that is too long: {row.queue}")
        durable = self._add(row, settled=False)
        hub.journal.notes().opened.append(durable.row)
        return durable

    def _add(self, row: DurableRow, *, settled: bool) -> Durable:
        durable = Durable(row, self._hub.router.queue(row.queue), settled=settled)
        self._last = max(self._last, row.number)
        self._by_owner[row.login, row.name] = durable
        self._topics.add(durable)
        return durable

    def settle(self, rows: Iterable[DurableRow], *, stored: bool) -> None:
        """Take note that subscriptions are stored; or that they are not, which everybody is told who has one."""
        for row in rows:
            durable = self.get(row.login, row.name)
            if durable is None or durable.row != row:
                continue  # it has ended in the meantime
            founders, durable.founders = durable.founders, []
            durable.settled = True
            if not stored:
                self.end(durable)
                for session in founders:
                    session.refuse(_no_room(self._hub.journal.full or "the disk is full"), counted=False)

    def end(self, durable: Durable) -> None:
        """Forget a subscription and what waits for it."""
        row = durable.row
        del self._by_owner[row.login, row.name]
        self._topics.discard(durable)
        self._hub.journal.notes().ended.append(row)
        self._hub.router.queues.pop(row.queue, None)
        for lane in durable.queue.waiting.lanes:
            lane.paged = 0
        for session in self._hub.sessions.values():
            for message in session.unacked.values():
                if message.holder is not None and message.holder.queue is durable.queue:
                    message.stored = False  # any more: an ACK of it has nothing to delete

    def copies(self, message: Message, number: Callable[[], int]) -> Iterator[Message]:
        """Make what is to be stored of a message to a topic: a copy for each subscription that hears it."""
        for durable in self._topics.listeners(message.destination):
            copy = message.copy(number())
            copy.destination = durable.row.queue
            copy.due, copy.release, copy.stored = message.due, message.release, True
            yield copy


def _no_room(reason: str) -> Refused:
    return Refused(f"{reason}; the durable subscription was not stored, subscribe again later")
