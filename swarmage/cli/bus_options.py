"""Options of the commands that run a bus."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import click

from swarmage.supervisor.keeping import DURABILITIES, Keeping
from swarmage.supervisor.logs import FORMAT_VARIABLE, FORMATS

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def _size(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """Read a number of bytes and its unit."""
    if value is None:
        return None
    match = re.fullmatch(r"(\d+)([KMGT]?)", value.upper())
    if match is None or not int(match[1]):
        raise click.BadParameter(f"{value!r} is no size; write a number of bytes, such as 500M or 20G", ctx, param)
    return int(match[1]) * _UNITS[match[2]]


def _deliveries(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    """Read how often a message may be delivered, in all queues or in those whose names begin so."""
    limits: dict[str, int] = {}
    for value in values:
        start, separator, most = value.rpartition("=")
        start = start if separator else "/queue/"
        if not re.fullmatch(r"[1-9]\d{0,8}", most) or not start.startswith("/queue/"):
            raise click.BadParameter(f"{value!r} is neither N nor /queue/NAME=N; N is 1 or more", ctx, param)
        if start in limits:
            raise click.BadParameter(f"there are two limits for {start}", ctx, param)
        limits[start] = int(most)
    return tuple(limits.items())


def keeping_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `Keeping`, and hand it the value as ``keeping``."""

    @click.option(
        "--durability",
        type=click.Choice(DURABILITIES),
        default="disk",
        show_default=True,
        help="Where a message is when its receipt is sent. What the os has, a power loss takes.",
    )
    @click.option("--max-bytes", callback=_size, metavar="SIZE", help="Refuse new messages when so much is stored.")
    @click.option(
        "--max-queue-messages", type=click.IntRange(min=1), metavar="N", help="Refuse new ones when a queue holds N."
    )
    @click.option("--max-connections", type=click.IntRange(min=1), metavar="N", help="How many; 1000 by default.")
    @click.option(
        "--max-connections-per-address",
        type=click.IntRange(min=1),
        metavar="N",
        help="How many of them from one other address; 200 by default.",
    )
    @click.option(
        "--dedupe-window",
        "dedupe_seconds",
        type=click.FloatRange(min=0),
        default=120.0,
        show_default=True,
        metavar="SECONDS",
        help="How long the dedupe-id of a message is remembered.",
    )
    @click.option(
        "--max-deliveries",
        multiple=True,
        callback=_deliveries,
        metavar="[PREFIX=]N",
        help="Make a message a dead letter when N deliveries ended without an ack; for queues such as /queue/orders.=5."
        " May be given several times.",
    )
    @functools.wraps(command)
    def wrapped(*args: Any, **options: Any) -> None:
        keeping = Keeping(**{each.name: options.pop(each.name) for each in fields(Keeping)})
        command(*args, keeping=keeping, **options)

    return wrapped


def log_option(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the option ``--log-format``, which holds for its children too."""

    def remember(ctx: click.Context, param: click.Parameter, value: str) -> None:
        os.environ[FORMAT_VARIABLE] = value

    return click.option(
        "--log-format",
        type=click.Choice(FORMATS),
        default="text",
        show_default=True,
        envvar=FORMAT_VARIABLE,
        expose_value=False,
        callback=remember,
        help="Log lines for people, or JSON for programs.",
    )(command)
