"""What becomes of a message that is not as it was written: it is kept aside, and told of.

From: hub.  To: journal.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from swarmage.broker.events import event
from swarmage.broker.queues.message import Damaged, Message
from swarmage.broker.sessions.encoding import escape

if TYPE_CHECKING:
    from swarmage.broker.hub import Hub
    from swarmage.broker.queues.queue import Queue

log = logging.getLogger("swarmage.bus")

DESTINATION = "/queue/DLQ.damaged"


def set_aside(hub: Hub, message: Damaged) -> None:
    """Move a damaged message to `DESTINATION`, in one batch of the journal."""
    log.error(
        "message %d of %s is damaged: %s; it is kept in %s",
        message.id, message.destination, message.reason, DESTINATION,
        extra=event("message_damaged", number=message.id, destination=message.destination, reason=message.reason),
    )  # fmt: skip
    aside = set_aside_copy(message, hub.next_number())
    hub.journal.replace(message, aside)


def set_aside_all(hub: Hub, queue: Queue) -> None:
    """Move what is damaged of a queue."""
    for message in queue.waiting.remove(lambda message: isinstance(message, Damaged)):
        if isinstance(message, Damaged) and message.stored:  # else it is a copy for somebody who browses
            set_aside(hub, message)


def set_aside_copy(message: Damaged, number: int) -> Message:
    """Return a message that carries all there is of a damaged one, header lines included, as its body."""
    body = message.head + message.body
    head = (
        f"destination:{DESTINATION}\noriginal-destination:{escape(message.destination)}\n"
        f"reason:{escape(message.reason)}\ncontent-type:application/octet-stream\ncontent-length:{len(body)}\n\n"
    )
    aside = Message(number, DESTINATION, head.encode(), body)
    aside.stored = True
    return aside
