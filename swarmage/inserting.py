"""From an ability and its arguments to a task.

From: client, drone.  To: wire.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from swarmage.abilities import Ability
from swarmage.errors import ConfigError
from swarmage.task import Task


def task_of(ability: Ability[..., Any] | str, args: Sequence[Any], kwargs: dict[str, Any]) -> Task:
    """Return the task of an ability, or of the name of a task class, with these arguments.

    Raises:
        ConfigError: it is neither, or an ability of a KeyedWorker for no key.
    """
    if isinstance(ability, str):
        return Task(task_class=ability, args=args, kwargs=kwargs)
    return Task(task_class=class_of(ability), args=args, kwargs=kwargs, key=ability.key)


def class_of(ability: Ability[..., Any] | str) -> str:
    """Return the task class of an ability that tasks are inserted for, or the name as it is.

    Raises:
        ConfigError: it is neither, or an ability of a KeyedWorker for no key.
    """
    if isinstance(ability, str):
        return ability
    if not isinstance(ability, Ability):
        raise ConfigError(f"insert takes an ability or the name of a task class, not {ability!r}")
    if ability.keyed and ability.key is None:
        name = getattr(ability.function, "__qualname__", "")
        owner, _, method = name.rpartition(".")
        raise ConfigError(
            f"{name} is an ability of a KeyedWorker: its tasks are for one key each, such as"
            f' {owner.rpartition(".")[2]}["alice"].{method}'
        )
    return ability.task_class
