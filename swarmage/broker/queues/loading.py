"""Taking over what the store held when the bus started.

From: store.  To: router.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from swarmage.broker.queues.damaged import set_aside
from swarmage.broker.queues.groups import group_of
from swarmage.broker.queues.message import Damaged
from swarmage.broker.queues.values import VALUE
from swarmage.broker.storage.store import Loaded

if TYPE_CHECKING:
    from swarmage.broker.hub import Hub


def take_over(hub: Hub, loaded: Loaded) -> int:
    """Let in what was held in memory, count the rest in its queues, and return how many messages there are."""
    now, wall_ms = hub.clock.monotonic(), hub.clock.wall() * 1000
    for message in loaded.messages:
        if isinstance(message, Damaged):
            set_aside(hub, message)
            continue
        message.group = group_of(message.head)
        if message.due > wall_ms:
            message.release = now + (message.due - wall_ms) / 1000
        hub.router.arrive(message)
    for (name, priority), count in loaded.backlog.items():
        if name.startswith(VALUE):
            hub.router.values.load(name, loaded.first[name, priority], count)
            continue
        hub.router.queue(name).waiting.leave_in_store(priority, count, loaded.first[name, priority] - 1)
    for name in loaded.fading:
        hub.router.queue(name).may_expire = True
    return len(loaded.messages) + sum(loaded.backlog.values())
