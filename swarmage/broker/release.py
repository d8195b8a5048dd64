"""Giving back: what a session holds goes to its place in the queue again.

From: session, acks.  To: queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from swarmage.broker.message import Message
from swarmage.broker.queue import Queue
from swarmage.broker.router import TOPIC
from swarmage.broker.subscription import Subscription

if TYPE_CHECKING:
    from swarmage.broker.session import Session


def release(session: Session, *, counted: bool) -> None:
    """Give back every message, then forget subscriptions, temporary queues and transactions."""
    session.transactions.clear()
    for subscription in session.subscriptions.values():
        drop(session, subscription)
    session.subscriptions = {}
    held, session.unacked = session.unacked, {}
    for message in held.values():
        holder = message.holder
        if holder is None:
            continue
        message.holder = None
        holder.queue.in_flight -= 1
        if holder.queue.owner is None:
            give_back(session, holder.queue, message, counted=counted)
    session.hub.router.forget(session)


def give_back(session: Session, queue: Queue, message: Message, *, counted: bool) -> None:
    """Put a delivered message back to its place in the queue."""
    if counted:
        message.count += 1
        session.hub.journal.recount(message)
    queue.tally.returned += 1
    queue.put(message)
    session.hub.mark(queue)


def drop(session: Session, subscription: Subscription) -> None:
    """Deliver nothing more for this subscription."""
    subscription.queue.leave(subscription)
    if subscription.destination.startswith(TOPIC):
        session.hub.router.topics.discard(subscription)
