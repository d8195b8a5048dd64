"""Where on the bus what stands: the only place that spells destinations."""

from __future__ import annotations

import hashlib
import re

from swarmage.errors import ConfigError

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

DOCTOR = f"/queue/{NAMESPACE}.doctor."
"""How the queues begin in which `swarmage doctor` tries what the bus does."""

_KEYED = f"/queue/{NAMESPACE}.keyed."
_SAVED = f"/value/{NAMESPACE}.saved."
_TASK = f"/queue/{NAMESPACE}.task."
_REPLY = f"/queue/{NAMESPACE}.reply."
ACTOR = f"/queue/{NAMESPACE}.actor."
"""How the queues begin in which actors are asked by remote references."""

_ACTOR_NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")
_REPLY_QUEUE = re.compile(re.escape(_REPLY) + r"[A-Za-z0-9._-]{1,200}")


def task_destination(task_class: str) -> str:
    """Return the queue of a task class."""
    return _TASK + task_class


def task_class_of(destination: str) -> str | None:
    """Return the task class whose queue this is, or None for other destinations."""
    return destination.removeprefix(_TASK) if destination.startswith(_TASK) else None


def kind_of(task_class: str) -> str:
    """Return the kind of actor whose keys have tasks of this class: its name but for the last word."""
    return task_class.rpartition(".")[0]


def keyed_destination(kind: str) -> str:
    """Return the queue of all tasks for the keys of one kind: one, so that the bus can give a key to one drone."""
    return _KEYED + kind


def kind_in(destination: str) -> str | None:
    """Return the kind of actor whose tasks stand in a queue, or None for other destinations."""
    return destination.removeprefix(_KEYED) if destination.startswith(_KEYED) else None


def group_of(key: str) -> str:
    """Return the message group of a key: any key makes a short one that a header can hold."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def saved_destination(kind: str, key: str) -> str:
    """Return where the state of a key is."""
    return f"{_SAVED}{kind}.{group_of(key)}"


def reply_destination(originator: str) -> str:
    """Return the queue in which an originator finds its replies."""
    return _REPLY + originator


def is_reply_destination(destination: str) -> bool:
    """Say whether a queue is one that originators read: nothing else may be answered to."""
    return _REPLY_QUEUE.fullmatch(destination) is not None


def actor_destination(name: str) -> str:
    """Return the queue in which the actor published under a name is asked.

    Raises:
        ConfigError: it is not a name.
    """
    if not isinstance(name, str) or _ACTOR_NAME.fullmatch(name) is None:
        raise ConfigError(
            f"{str(name)[:100]!r} is not the name of an actor: take 1 to 200 letters, digits, '.', '_' and '-'"
        )
    return ACTOR + name
