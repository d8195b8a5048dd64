"""``dead``: the tasks that could not be finished, and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click

from swarmage.cli.text import ago, as_json, columns, printable
from swarmage.client.client import Client
from swarmage.client.dead_letters import DeadLetter, DeadLetters
from swarmage.clock import SYSTEM_CLOCK
from swarmage.errors import ConfigError

ANSWER_SECONDS = 4.0
_json = click.option("--json", "json_wanted", is_flag=True, help="Print JSON.")
_ids = click.argument("ids", nargs=-1, metavar="[ID]...")
_everything = click.option("--all", "everything", is_flag=True, help="All dead letters.")


@click.group()
def dead() -> None:
    """List, show, retry and drop dead letters.

    A task that failed in its last attempt, that nobody may try again or that nobody can read is kept with the reason
    until you retry it or drop it.

    \b
    Example:
      swarmage dead list
      swarmage dead retry --all
    """


@dead.command("list")
@_json
def list_(*, json_wanted: bool) -> None:
    """List the dead letters, each in one line.

    With --json it is an array that holds all that is known of each.

    \b
    Example:
      swarmage dead list --json
    """
    with _dead_letters() as letters:
        found = letters.all()
    if json_wanted:
        click.echo(as_json([_as_dict(letter) for letter in found]))
    elif not found:
        click.echo("no dead letters")
    else:
        head = ("ID", "TASK CLASS", "REASON", "ATTEMPTS", "DIED", "ERROR")
        click.echo(columns(head, [_as_row(letter) for letter in found]))


@dead.command()
@click.argument("task_id", metavar="ID")
@_json
def show(task_id: str, *, json_wanted: bool) -> None:
    """Show all that is known of one dead letter, with the remote traceback.

    \b
    Example:
      swarmage dead show 0b0e7a52-6a0c-4b8e-a3a0-3f1f1f0d3d11
    """
    with _dead_letters() as letters:
        found = [letter for letter in letters.all() if letter.id == task_id]
    if not found:
        raise ConfigError(_no_such([task_id]))
    if json_wanted:
        click.echo(as_json(_as_dict(found[0])))
        return
    for name, value in _as_dict(found[0]).items():
        if name == "traceback":
            continue
        text = datetime.fromtimestamp(value, UTC).isoformat(" ", "seconds") if name == "died" else value
        click.echo(f"{name + ':':<13}{printable(text if isinstance(text, str) else repr(text))}")
    if found[0].traceback:
        click.echo("\n" + printable(found[0].traceback, keep="\n"))


@dead.command()
@_ids
@_everything
@_json
def retry(ids: tuple[str, ...], *, everything: bool, json_wanted: bool) -> None:
    """Give dead letters back to their queues, to be tried as if they were new.

    \b
    Example:
      swarmage dead retry 0b0e7a52-6a0c-4b8e-a3a0-3f1f1f0d3d11
    """
    with _dead_letters() as letters:
        _apply(letters, letters.retry, "retried", ids, everything=everything, json_wanted=json_wanted)


@dead.command()
@_ids
@_everything
@_json
def drop(ids: tuple[str, ...], *, everything: bool, json_wanted: bool) -> None:
    """Throw dead letters away, for ever.

    \b
    Example:
      swarmage dead drop --all
    """
    with _dead_letters() as letters:
        _apply(letters, letters.drop, "dropped", ids, everything=everything, json_wanted=json_wanted)


@contextmanager
def _dead_letters() -> Iterator[DeadLetters]:
    with Client(timeout=ANSWER_SECONDS) as client:
        yield DeadLetters(client)


def _apply(
    letters: DeadLetters,
    act: Callable[[Sequence[str]], list[str]],
    past: str,
    ids: Sequence[str],
    *,
    everything: bool,
    json_wanted: bool,
) -> None:
    if bool(ids) == everything:
        raise click.UsageError("name the dead letters by ID, or all of them by --all")
    wanted = [letter.id for letter in letters.all()] if everything else list(dict.fromkeys(ids))
    done = act(wanted) if wanted else []
    if json_wanted:
        click.echo(as_json(done))
    else:
        click.echo(f"{past} {len(done)}")
    missing = [each for each in wanted if each not in done]
    if missing and not everything:
        raise ConfigError(_no_such(missing))


def _no_such(ids: Sequence[str]) -> str:
    return f"no dead letter {', '.join(ids)}; see `swarmage dead list`"


def _as_dict(letter: DeadLetter) -> dict[str, Any]:
    return {field.name: getattr(letter, field.name) for field in dataclasses.fields(letter)}


def _as_row(letter: DeadLetter) -> list[object]:
    error = f"{letter.kind}: {letter.message}" if letter.kind else letter.message
    return [
        letter.id,
        letter.task_class or "",
        letter.reason,
        letter.attempts,
        ago(SYSTEM_CLOCK.wall() - letter.died) if letter.died else "unknown",
        error,
    ]
