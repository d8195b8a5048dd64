"""Reading on in a long queue before what is in memory runs out.

From: store.  To: queue.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from swarmage.broker.events import event
from swarmage.broker.queues.damaged import set_aside_all
from swarmage.broker.queues.lane import Lane
from swarmage.broker.queues.message import Damaged, Message
from swarmage.broker.queues.queue import Queue
from swarmage.broker.storage.store import Store

if TYPE_CHECKING:
    from swarmage.broker.hub import Hub

log = logging.getLogger("swarmage.bus")


class Paging:
    """Brings the next messages of long queues from the store."""

    def __init__(self, hub: Hub, store: Store) -> None:
        self._hub = hub
        self._store = store
        self._awaited: dict[Queue, list[Callable[[], None]]] = {}

    def feed(self, queue: Queue) -> None:
        """Have the next messages read where few are left in memory."""
        for lane in queue.waiting.lanes:
            if lane.hungry:
                self._store.read(lane.next_page(queue.name), partial(self._fed, queue, lane))

    def then(self, queue: Queue, action: Callable[[], None]) -> None:
        """Run the action, once, when the next page of the queue is there."""
        self._awaited.setdefault(queue, []).append(action)

    def _fed(self, queue: Queue, lane: Lane, read: list[Message] | Exception) -> None:
        if isinstance(read, Exception):
            self._hub.journal.failed = read
        else:
            if queue.owner is not None:  # a snapshot for somebody who browses: none of it is taken
                for message in read:
                    message.stored = False
            elif lane.paged and not read:
                log.error(
                    "%d messages of %s are not in the file any more", lane.paged, queue.name,
                    extra=event("messages_missing", destination=queue.name, count=lane.paged),
                )  # fmt: skip
            queue.feed(lane, read)
            if any(type(message) is Damaged for message in read):
                set_aside_all(self._hub, queue)
            self._hub.mark(queue)
            for action in self._awaited.pop(queue, ()):
                action()
        self._hub.wake()
