"""Where a Worker class may have its tasks performed, and what it may say about the process that does it.

From: abilities.  To: worker.
"""

from __future__ import annotations

from typing import Any

from swarmage.abilities import Ability
from swarmage.errors import AbilityError

ISOLATIONS = ("thread", "process")
PROCESS_FIELDS = ("memory_limit", "recycle_tasks", "recycle_growth")


def check_isolation(cls: Any) -> None:
    """Refuse a Worker class whose fields make no sense.

    Raises:
        AbilityError: names the class and the field, and says what would do.
    """
    name = cls.__qualname__
    if cls.isolation not in ISOLATIONS:
        raise AbilityError(f"{name}.isolation must be 'thread' or 'process', not {cls.isolation!r}")
    if cls.on_loop and cls.isolation == "process":
        raise AbilityError(
            f"{name}.isolation must be 'thread', for an AsyncWorker performs its tasks on the event loop of its drone;"
            f" have them pass what needs a process to a Worker with isolation = 'process', or make {name} one"
        )
    for field in PROCESS_FIELDS:
        _check_process_field(cls, field)


def _check_process_field(cls: Any, field: str) -> None:
    value = getattr(cls, field)
    if value is None:
        return
    name = f"{cls.__qualname__}.{field}"
    if type(value) is not int or value < 1:
        unit = "tasks" if field == "recycle_tasks" else "bytes"
        raise AbilityError(f"{name} must be a whole number of {unit}, 1 or more, or None, not {value!r}")
    if cls.isolation != "process":
        raise AbilityError(f"{name} is for a process; set isolation = 'process' on {cls.__qualname__}, or leave it out")


def check_kind(owner: str, ability: Ability[..., Any], *, on_loop: bool) -> None:
    """Refuse an ability that its Worker cannot perform: a coroutine in a thread, or a plain function on an event loop.

    Raises:
        AbilityError: names the class and the method, and says what to do.
    """
    if ability.awaited == on_loop:
        return
    name = f"{owner}.{getattr(ability.function, '__name__', repr(ability.function))}"
    if ability.awaited:
        raise AbilityError(
            f"ability {ability.task_class}: {name} is async, which needs an event loop: make {owner} an AsyncWorker,"
            " or the method a plain def"
        )
    raise AbilityError(
        f"ability {ability.task_class}: {name} is a plain def, which would hold up the event loop of an AsyncWorker:"
        f" make it an async def, or {owner} a Worker"
    )
