"""What the annotations of a function tell at run time."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, get_type_hints


def resolved(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations that can be resolved; a name that exists for the type checker only costs just its own."""
    found: dict[str, Any] = {}
    names = getattr(inspect.unwrap(function), "__globals__", {})
    for name, annotation in getattr(function, "__annotations__", {}).items():
        # an annotation may be any expression, and raise anything; what it does not tell, it does not tell
        with contextlib.suppress(Exception):
            found |= get_type_hints(SimpleNamespace(__annotations__={name: annotation}), names)
    return found


def unresolved(function: Callable[..., Any]) -> list[str]:
    """Return the parameters whose annotation names something that does not exist at run time."""
    return sorted(set(getattr(function, "__annotations__", {})) - set(resolved(function)))
