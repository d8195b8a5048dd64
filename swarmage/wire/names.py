"""Where on the bus what stands: the only place that spells destinations."""

from __future__ import annotations

import re

NAMESPACE = "swarmage"

DEAD = f"/queue/{NAMESPACE}.dead"
"""The dead letters of the whole swarm: one queue, so that one look shows all of them."""

CONTROL = f"/topic/{NAMESPACE}.control"
"""What is said to every drone."""

STATE = f"/queue/{NAMESPACE}.state"
"""The standing orders of the whole swarm."""

STATISTICS = "/bus/statistics"
"""The embedded bus's own figures: SEND with reply-to, one MESSAGE comes back."""

STATUS = "status."
"""How an originator's name begins that waits for answers of the next seconds only."""

_TASK = f"/queue/{NAMESPACE}.task."
_REPLY = f"/queue/{NAMESPACE}.reply."
_REPLY_QUEUE = re.compile(re.escape(_REPLY) + r"[A-Za-z0-9._-]{1,200}")


def task_destination(task_class: str) -> str:
    """Return the queue of a task class."""
    return _TASK + task_class


def task_class_of(destination: str) -> str | None:
    """Return the task class whose queue this is, or None for other destinations."""
    return destination.removeprefix(_TASK) if destination.startswith(_TASK) else None


def reply_destination(originator: str) -> str:
    """Return the queue in which an originator finds its replies."""
    return _REPLY + originator


def is_reply_destination(destination: str) -> bool:
    """Say whether a queue is one that originators read: nothing else may be answered to."""
    return _REPLY_QUEUE.fullmatch(destination) is not None
