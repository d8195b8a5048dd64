"""Dead letters: where a message goes that its consumers reject, or that was delivered too often.

From: acks, release.  To: journal.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from swarmage.broker.events import event
from swarmage.broker.queues.message import Message
from swarmage.broker.queues.router import QUEUE
from swarmage.broker.sessions.encoding import escape
from swarmage.broker.storage.notes import DURABLE

if TYPE_CHECKING:
    from swarmage.broker.hub import Hub
    from swarmage.broker.queues.queue import Queue

log = logging.getLogger("swarmage.bus")

DEAD = f"{QUEUE}DLQ."

REJECTED = "rejected by its consumer"

_LONGEST_REASON = 500  # characters, since a consumer may say anything, and it is stored and logged
_REPLACED = (b"destination:", b"original-destination:", b"reason:")


def delivered_too_often(hub: Hub, queue: Queue, message: Message) -> bool:
    """Whether the message has to be buried for the deliveries that ended without an ack.

    Not while the disk is full: it goes on being delivered then, since there is no room for a dead letter.
    """
    if queue.owner is not None or queue.name.startswith(DEAD) or (message.stored and hub.journal.full is not None):
        return False
    # What counts for all queues counts for durable subscriptions; nobody can name theirs.
    most = hub.limits.most_deliveries(QUEUE if queue.name.startswith(DURABLE) else queue.name)
    return most is not None and message.count >= most


def bury(hub: Hub, message: Message, count: int, reason: str | None) -> None:
    """Move the message to the dead letters, in one batch of the journal and without its expiry.

    Args:
        hub: which has the message, and in no queue any more.
        message: what to move.
        count: deliveries that ended without an ack, the last one among them if it counts.
        reason: the words of whoever does not want it; by default how often it was delivered.
    """
    reason = (reason or f"delivered {count} {'time' if count == 1 else 'times'} without an ack")[:_LONGEST_REASON]
    origin = message.destination
    if (queue := hub.router.queues.get(origin)) is not None:
        queue.tally.dead += 1
    dead = message.copy(hub.next_number())
    dead.destination = DEAD + origin.split("/", 2)[-1]
    dead.count = count
    dead.expires = 0
    dead.stored = message.stored
    # The destination may stand anywhere, since a head is often passed on as the sender wrote it.
    rest = b"\n".join([line for line in message.head.split(b"\n") if not line.startswith(_REPLACED)])
    lines = {"destination": dead.destination, "original-destination": origin, "reason": reason}
    dead.head = "".join(f"{name}:{escape(value)}\n" for name, value in lines.items()).encode() + rest
    log.warning(
        "message %d of %s is a dead letter: %r", message.id, origin, reason,
        extra=event("dead_lettered", destination=origin, number=message.id, reason=reason),
    )  # fmt: skip
    if dead.stored:
        hub.journal.replace(message, dead)
    else:
        hub.router.arrive(dead)
