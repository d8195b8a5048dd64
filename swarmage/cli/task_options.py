"""Options of `swarmage send` that a task takes along, under the names that `Task` has for them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from swarmage.clock import SYSTEM_CLOCK

_NAMES = ("key", "delay", "priority", "retries", "backoff", "deadline", "expires")
_MORE_THAN_0 = click.FloatRange(min=0, min_open=True)


def task_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each setting of a task, and hand it those that were given as ``settings``."""

    @click.option("--key", metavar="KEY", help="Which of the actors of a KeyedWorker performs it.")
    @click.option("--delay", type=click.FloatRange(min=0), metavar="S", help="Seconds before it may begin.")
    @click.option("--priority", type=click.IntRange(0, 9), metavar="N", help="0 to 9, higher first; 4 by default.")
    @click.option(
        "--retries", type=click.IntRange(min=0), metavar="N", help="How many more times it is tried when it fails."
    )
    @click.option(
        "--backoff", type=click.FloatRange(min=0), metavar="S", help="Seconds before the first of these retries."
    )
    @click.option("--deadline", type=_MORE_THAN_0, metavar="S", help="Seconds from now after which it is stopped.")
    @click.option("--expires", type=_MORE_THAN_0, metavar="S", help="Seconds from now after which it is not begun.")
    @functools.wraps(command)
    def wrapped(*args: Any, **options: Any) -> None:
        settings = {name: options.pop(name) for name in _NAMES}
        settings = {name: value for name, value in settings.items() if value is not None}
        _check(settings)
        if "deadline" in settings:
            settings["deadline"] += SYSTEM_CLOCK.wall()
        command(*args, settings=settings, **options)

    return wrapped


def _check(settings: dict[str, Any]) -> None:
    for name in ("deadline", "expires"):
        if settings.get("delay", 0) >= settings.get(name, float("inf")):
            raise click.UsageError(
                f"--{name} {settings[name]:g} is over before --delay {settings['delay']:g} is, so the task would never"
                f" begin; both count from now: give a longer --{name}"
            )
