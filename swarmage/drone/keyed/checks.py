"""What a KeyedWorker must be, and where it can be performed.

From: abilities.  To: host, crew.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from swarmage.bus.bus import Bus
from swarmage.errors import AbilityError, ConfigError
from swarmage.wire.names import kind_of

ITS_OWN = {
    "__init__": "on_load",
    "on_start": "on_load",
    "on_stop": "on_save",
    "on_failure": "on_load",
    "on_receive": "an ability",
    "on_death": "a Worker beside it",
}
"""What the threads do that perform for all keys, and what an actor has instead."""


def check_class(cls: Any, own: Iterable[str]) -> str:
    """Return the kind that a subclass of KeyedWorker is, empty for one without abilities.

    Raises:
        AbilityError: names the class and what is wrong.
    """
    name = cls.__qualname__
    for method in own:
        if method in ITS_OWN:
            raise AbilityError(
                f"{name}.{method} would be called once for each thread and not for each key; use {ITS_OWN[method]}"
            )
    if cls.isolation != "thread":
        raise AbilityError(f"{name}.isolation must be 'thread': a KeyedWorker keeps its actors in its drone's memory")
    if not (isinstance(cls.idle, int | float) and cls.idle > 0):
        raise AbilityError(f"{name}.idle must be more than 0 seconds, not {cls.idle!r}")
    if type(cls.most_keys) is not int or cls.most_keys < 1:
        raise AbilityError(f"{name}.most_keys must be a whole number, 1 or more, not {cls.most_keys!r}")
    kinds = sorted({kind_of(task_class) for task_class in cls.abilities})
    if kinds and (len(kinds) > 1 or not kinds[0]):
        raise AbilityError(
            f"{name}: the task classes of a KeyedWorker are its kind and one more word each, such as account.deposit"
            f" and account.close; these are {', '.join(sorted(cls.abilities))}"
        )
    return kinds[0] if kinds else ""


def is_keyed(cls: Any) -> bool:
    """Say whether a Worker class is a KeyedWorker with abilities; any Worker may have a `kind` of its own."""
    return any(ability.keyed for ability in cls.abilities.values())


def check_kinds(classes: Iterable[Any]) -> None:
    """Refuse classes that cannot be in one drone.

    Raises:
        ConfigError: two are of the same kind, or a plain one performs a task class that is called like a kind.
    """
    named: dict[str, Any] = {}
    for cls in classes:
        if is_keyed(cls):
            other = named.setdefault(cls.kind, cls)
            if other is not cls:
                raise ConfigError(
                    f"{other.__qualname__} and {cls.__qualname__} are both of the kind {cls.kind!r}, and each key of it"
                    " has one actor; make them one class, or let the names of their task classes begin differently"
                )
    for cls in classes:
        for task_class in () if is_keyed(cls) else cls.abilities:
            keyed = named.get(task_class) or next((k for k in named.values() if task_class in k.abilities), None)
            if keyed is not None:
                raise ConfigError(
                    f"{cls.__qualname__} performs {task_class}, which is the name of the KeyedWorker"
                    f" {keyed.__qualname__} or of an ability of it; give it another one"
                )


def check_number(classes: Iterable[Any], buses: int) -> None:
    """Refuse several buses where a key would have an actor, and a state, on each of them.

    Raises:
        ConfigError: names the class.
    """
    keyed = [cls.__qualname__ for cls in classes if is_keyed(cls)]
    if keyed and buses > 1:
        raise ConfigError(
            f"the KeyedWorker {keyed[0]} cannot be performed on {buses} buses, each of which would have an actor of its"
            " own for each key: start its drones apart from the others, with one bus in SWARMAGE_URL"
        )


def check_bus(bus: Bus) -> None:
    """Refuse a bus that cannot keep a key's tasks together and its state with their acks.

    Raises:
        ConfigError: names the bus.
    """
    if not bus.dialect.keeps_keys:
        raise ConfigError(
            f"the bus at {bus.address} ({bus.dialect.name}) has no message groups, values, or transactions that join"
            " them with an ACK, which a KeyedWorker needs; use swarmage's own bus for it, `swarmage bus`"
        )
