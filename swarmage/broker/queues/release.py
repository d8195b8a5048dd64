"""Giving back: what a session holds goes to its place in the queue again.

From: session, acks.  To: queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from swarmage.broker.queues.burial import bury, delivered_too_often
from swarmage.broker.queues.message import Message
from swarmage.broker.queues.queue import Queue
from swarmage.broker.queues.router import TOPIC
from swarmage.broker.queues.subscription import Subscription

if TYPE_CHECKING:
    from swarmage.broker.sessions.session import Session


def release(session: Session, *, counted: bool) -> None:
    """Give back every message, then forget subscriptions, temporary queues and transactions."""
    # What is buried here is nobody's wish, and not this session's if there is no room.
    session.hub.journal.speaker = None
    session.transactions.clear()
    for subscription in session.subscriptions.values():
        drop(session, subscription)
    session.subscriptions = {}
    held, session.unacked = session.unacked, {}
    for message in held.values():
        holder = message.holder
        if holder is None:
            continue
        queue = holder.queue
        message.holder = None
        queue.in_flight -= 1
        if queue.groups is not None:
            queue.groups.settled(holder, message)
        if queue.owner is None:
            give_back(session, queue, message, counted=counted)
    session.hub.router.forget(session)


def give_back(session: Session, queue: Queue, message: Message, *, counted: bool, reason: str | None = None) -> None:
    """Put a delivered message back to its place in the queue, or bury it when that was once too often.

    Args:
        session: which held it.
        queue: where it came from.
        message: which nobody holds any more.
        counted: whether this was a delivery that failed.
        reason: why, in the words of the client, if it said so.
    """
    if counted:
        message.count += 1
        session.hub.journal.recount(message)
        if delivered_too_often(session.hub, queue, message):
            bury(session.hub, message, message.count, reason)
            return
    queue.tally.returned += 1
    queue.put(message)
    session.hub.mark(queue)


def drop(session: Session, subscription: Subscription) -> None:
    """Deliver nothing more for this subscription."""
    queue = subscription.queue
    queue.leave(subscription)
    if queue.waiting.count:  # what waited for this one may go elsewhere now
        session.hub.mark(queue)
    if subscription.destination.startswith(TOPIC):
        session.hub.router.topics.discard(subscription)
