"""What the methods of a Worker class may not be called, because every Worker has something of that name."""

from __future__ import annotations

from types import FunctionType

from swarmage.abilities import Ability
from swarmage.errors import AbilityError

_OURS = {"swarmage", "pykka"}
_CODE = (FunctionType, property, classmethod, staticmethod)
_FREE = {"publish", "ref", "unwatch", "watch"}  # for user code alone: a class that has its own does without them


def check_names(owner: type) -> None:
    """Refuse what would take the place of something that every Worker has: an ability ``insert``, or any ``_grow``.

    Raises:
        AbilityError: names the class and the method, and says what to do.
    """
    ours = [base for base in owner.__mro__ if base.__module__.partition(".")[0] in _OURS]
    taken = {name for base in ours for name in (*vars(base), *vars(base).get("__annotations__", ()))} - _FREE
    for base in owner.__mro__:
        if base in ours:
            continue
        for name, value in vars(base).items():
            if isinstance(value, Ability) and name in taken:
                raise AbilityError(
                    f"ability {value.task_class}: {owner.__qualname__}.{name} would take the place of the {name} that"
                    " every Worker has: give the method another name; that of the task class may stay"
                )
            if name in taken and name.startswith("_") and not name.endswith("__") and isinstance(value, _CODE):
                raise AbilityError(
                    f"{base.__qualname__}.{name} would take the place of the {name} that every Worker has for itself:"
                    " give it another name"
                )
