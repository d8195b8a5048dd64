"""``cancel``, ``pause``, ``resume``, ``concurrency`` and ``drain``: control of what runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from swarmage.cli.text import ago, as_json, printable
from swarmage.client.client import Client
from swarmage.client.control import KEEP
from swarmage.errors import ConfigError

ANSWER_SECONDS = 4.0
_json = click.option("--json", "json_wanted", is_flag=True, help="Print one JSON object.")


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option(
    "--keep",
    type=click.FloatRange(min=0, min_open=True),
    default=KEEP,
    metavar="S",
    help="Seconds for which that stands; 86400, a day, by default.",
)
@_json
def cancel(ids: tuple[str, ...], *, keep: float, json_wanted: bool) -> None:
    """Cancel tasks: what waits or is delayed is not begun, what runs is ended, and the originator is told.

    IDs are whole, as `swarmage send` printed them: nobody lists what waits. It is written down on the bus, so drones
    that start later know of it too. A task that is delayed for longer than a day needs a longer --keep.

    \b
    Example:
      swarmage cancel 0b0e7a52-6a0c-4b8e-a3a0-3f1f1f0d3d11
    """
    with _client() as client:
        client.cancel(*ids, keep=keep)
    _say({"cancelled": list(ids), "keep": keep}, f"cancelled {len(ids)}, for {ago(keep)}", json_wanted=json_wanted)


@click.command()
@click.argument("task_class", metavar="CLASS")
@_json
def pause(task_class: str, *, json_wanted: bool) -> None:
    """Have no drone begin tasks of the task class CLASS, now or later, until `swarmage resume`. What runs is finished.

    \b
    Example:
      swarmage pause text.census
    """
    with _client() as client:
        client.pause(task_class)
    _say({"paused": task_class}, f"paused {task_class}", json_wanted=json_wanted)


@click.command()
@click.argument("task_class", metavar="CLASS")
@_json
def resume(task_class: str, *, json_wanted: bool) -> None:
    """Have drones begin tasks of the task class CLASS again, in the order in which they were inserted.

    \b
    Example:
      swarmage resume text.census
    """
    with _client() as client:
        client.resume(task_class)
    _say({"resumed": task_class}, f"resumed {task_class}", json_wanted=json_wanted)


@click.command()
@click.argument("worker", metavar="CLASS")
@click.argument("count", metavar="N|default")
@_json
def concurrency(worker: str, count: str, *, json_wanted: bool) -> None:
    """Have N actors of the Worker class CLASS in each drone, now and in those that start later.

    It stands above the class's own number and above -c, until it is `default` again.

    \b
    Example:
      swarmage concurrency Census 8
    """
    if count != "default" and not (count.isascii() and count.isdigit()):
        raise ConfigError(f"N is a number or the word default, not {count!r}")
    number = None if count == "default" else int(count)
    with _client() as client:
        client.concurrency(worker, number)
    _say({"worker": worker, "concurrency": number}, f"{worker}: {count} in each drone", json_wanted=json_wanted)


@click.command()
@click.argument("drone", metavar="DRONE")
@_json
def drain(drone: str, *, json_wanted: bool) -> None:
    """Have one drone take no more tasks, finish those it has begun, give back the rest, and leave for good.

    DRONE is its id, a beginning of it, or its pid, as `swarmage status` shows them. Its supervisor does not replace it;
    it starts again when its supervisor does. To deploy, send SIGTERM to the supervisor instead: it drains all drones.

    \b
    Example:
      swarmage drain 4711
    """
    with _client() as client:
        answer = client.drain(drone)
    text = f"{answer['id']} (pid {answer['pid']} on {answer['host']}) leaves, tasks left to finish: {answer['holding']}"
    _say(answer, text, json_wanted=json_wanted)


@click.command()
@click.argument("drone", metavar="DRONE")
@_json
def stack(drone: str, *, json_wanted: bool) -> None:
    """Show where in its code each worker of a drone is, and the drone itself.

    DRONE is its id, a beginning of it, or its pid, as `swarmage status` shows them.

    \b
    Example:
      swarmage stack 4711
    """
    with _client() as client:
        answer = client.stacks(drone)
    parts = [f"{answer['id']} (pid {answer['pid']} on {answer['host']})"]
    for worker in answer["workers"]:
        since = f"for {worker['seconds']:.1f} s" if "seconds" in worker else ""
        parts.append(f"worker {worker['name']}: {worker['task_class']} {worker['task']} {since}\n{worker['stack']}")
    if not answer["workers"]:
        parts.append("no worker performs anything now")
    parts += [f"thread {thread['name']}\n{thread['stack']}" for thread in answer["threads"]]
    _say(answer, printable("\n\n".join(part.rstrip() for part in parts), keep="\n"), json_wanted=json_wanted)


@contextmanager
def _client() -> Iterator[Client]:
    with Client(timeout=ANSWER_SECONDS) as client:
        yield client


def _say(found: Any, text: str, *, json_wanted: bool) -> None:
    click.echo(as_json(found) if json_wanted else text)
