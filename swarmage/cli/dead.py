"""``dead``: the tasks that could not be finished, and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click

from swarmage.cli.redact import redacted
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

    ID may be abbreviated, as far as only one begins like that.

    \b
    Example:
      swarmage dead show 0b0e7a52
    """
    with _dead_letters() as letters:
        everything = letters.all()
    [wanted] = _whole([task_id], everything)
    found = [letter for letter in everything if letter.id == wanted]
    if not found:
        raise ConfigError(_no_such([task_id]))
    click.echo(as_json(_as_dict(found[0])) if json_wanted else _as_text(found[0]))


@dead.command()
@_ids
@_everything
@_json
def retry(ids: tuple[str, ...], *, everything: bool, json_wanted: bool) -> None:
    """Give dead letters back to their queues, to be tried as if they were new.

    \b
    Example:
      swarmage dead retry 0b0e7a52
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
    present = letters.all()
    wanted = [letter.id for letter in present] if everything else _whole(ids, present)
    done = act(wanted) if wanted else []
    if json_wanted:
        click.echo(as_json(done))
    else:
        click.echo(f"{past} {len(done)}")
    missing = [each for each in wanted if each not in done]
    if missing and not everything:
        raise ConfigError(_no_such(missing))


def _whole(ids: Sequence[str], present: Sequence[DeadLetter]) -> list[str]:
    """Return whole ids for abbreviated ones; one that fits none stays as it is.

    Raises:
        ConfigError: more than one begins like that.
    """
    known = dict.fromkeys(letter.id for letter in present)
    found: dict[str, None] = {}
    for id_ in ids:
        alike = [id_] if id_ in known else [each for each in known if id_ and each.startswith(id_)]
        if len(alike) > 1:
            raise ConfigError(
                f"{len(alike)} dead letters begin with {id_}: {', '.join(alike[:5])}; write some more of it"
            )
        found[alike[0] if alike else id_] = None
    return list(found)


def _as_text(letter: DeadLetter) -> str:
    """Return a dead letter for people: what is not known is left out."""
    lines = []
    for name, value in _as_dict(letter).items():
        match name, value:
            case ("traceback", _) | (_, None | "" | {}):
                continue
            case "died", float() | int() if value:
                text = f"{datetime.fromtimestamp(value, UTC).isoformat(' ', 'seconds')}, {_since(value)} ago"
            case "died", _:
                text = "unknown"
            case _, str():
                text = value
            case _:
                text = as_json(value, indent=None)
        lines.append(f"{name.replace('_', ' ') + ':':<13}{printable(text)}")
    if letter.traceback:
        lines += ["", printable(letter.traceback, keep="\n").rstrip()]
    return "\n".join(lines)


def _since(moment: float) -> str:
    return ago(SYSTEM_CLOCK.wall() - moment)


def _no_such(ids: Sequence[str]) -> str:
    return f"no dead letter {', '.join(ids)}; see `swarmage dead list`"


def _as_dict(letter: DeadLetter) -> dict[str, Any]:
    shown = {field.name: getattr(letter, field.name) for field in dataclasses.fields(letter)}
    return {**shown, "args": redacted(shown["args"]), "kwargs": redacted(shown["kwargs"])}


def _as_row(letter: DeadLetter) -> list[object]:
    error = f"{letter.kind}: {letter.message}" if letter.kind else letter.message
    return [
        letter.id,
        letter.task_class or "",
        letter.reason,
        letter.attempts,
        _since(letter.died) if letter.died else "unknown",
        error,
    ]
