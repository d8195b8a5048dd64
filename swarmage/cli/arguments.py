"""From words on the command line to a task's arguments."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from swarmage.errors import ConfigError


def parse_arguments(words: Sequence[str]) -> tuple[list[Any], dict[str, Any]]:
    """Return arguments by position and by name.

    A word is JSON, else a string. ``NAME=VALUE`` is an argument by name when NAME is a Python identifier.

    Raises:
        ConfigError: a name is given twice.
    """
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (equals and name.isidentifier()):
            args.append(_value_of(word))
        elif name in kwargs:
            raise ConfigError(f"the argument {name} is given twice")
        else:
            kwargs[name] = _value_of(value)
    return args, kwargs


def _value_of(word: str) -> Any:
    try:
        return json.loads(word, parse_constant=_not_json)
    except (ValueError, RecursionError):
        return word


def _not_json(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity are words here: no other language's JSON has them


def parse_concurrency(settings: Sequence[str]) -> dict[str, int]:
    """Read ``CLASS=N`` settings.

    Raises:
        ConfigError: one of them is something else.
    """
    concurrency: dict[str, int] = {}
    for setting in settings:
        name, _, number = setting.partition("=")
        if not name.isidentifier() or not (number.isascii() and number.isdigit()) or int(number) < 1:
            raise ConfigError(f"-c {setting}: write CLASS=N, such as -c Census=4, with N 1 or more")
        concurrency[name] = int(number)
    return concurrency
