"""``top``: queues, drones and workers, again and again."""

from __future__ import annotations

import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from swarmage.cli.text import ago, as_json, printable
from swarmage.client.client import Client
from swarmage.clock import SYSTEM_CLOCK

ANSWER_SECONDS = 4.0
EVERY_SECONDS = 1.0


@click.command()
@click.option("--json", "json_wanted", is_flag=True, help="Print one JSON object, once.")
def top(*, json_wanted: bool) -> None:
    """Show queues, drones and workers live: what waits, how that changes, and who does what for how long.

    `q` or Ctrl-C ends it. Where the output is no terminal it is printed once.

    \b
    Example:
      swarmage top
      swarmage top --json
    """
    with Client(timeout=ANSWER_SECONDS) as client:
        found = client.status(ANSWER_SECONDS)
        if json_wanted:
            click.echo(as_json(found))
        elif not sys.stdout.isatty():
            Console(file=sys.stdout, width=160).print(render(found, None, 0.0))
        else:
            _show(client, found)


def _show(client: Client, found: Mapping[str, Any]) -> None:
    ended = threading.Event()
    with _keys(lambda key: ended.set() if key in "qQ" else None), Live(screen=True, auto_refresh=False) as live:
        before, asked = None, SYSTEM_CLOCK.monotonic()
        while True:
            now = SYSTEM_CLOCK.monotonic()
            live.update(render(found, before, now - asked), refresh=True)
            if ended.wait(EVERY_SECONDS):
                return
            before, asked = found, now
            found = client.status(ANSWER_SECONDS)


@contextmanager
def _keys(pressed: Callable[[str], None]) -> Iterator[None]:
    """Hear single keys while the block lasts; Ctrl-C stays what it is."""
    if not sys.stdin.isatty():
        yield
        return
    handle = sys.stdin.fileno()
    before = termios.tcgetattr(handle)
    tty.setcbreak(handle)
    try:
        threading.Thread(target=_listen, args=(pressed,), name="keys", daemon=True).start()
        yield
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)


def _listen(pressed: Callable[[str], None]) -> None:
    while key := sys.stdin.read(1):
        pressed(key)


def render(found: Mapping[str, Any], before: Mapping[str, Any] | None, seconds: float) -> Group:
    """Return what is shown.

    Args:
        found: what the client says now.
        before: what it said before, None the first time.
        seconds: how long ago that was.
    """
    return Group(_bus(found, before, seconds), "", _queues(found, before, seconds), "", _workers(found))


def _bus(found: Mapping[str, Any], before: Mapping[str, Any] | None, seconds: float) -> Text:
    bus = found["bus"]
    up = [f"up {ago(bus['uptime'])}"] if "uptime" in bus else []
    parts = [f"bus {bus['url']}", *up, f"{len(found['drones'])} drones"]
    for name, word in (("messages_in", "in"), ("messages_out", "out")):
        if before is not None and seconds > 0 and name in bus:
            parts.append(f"{(bus[name] - before['bus'].get(name, 0)) / seconds:,.0f} messages/s {word}")
    if found.get("paused"):
        parts.append(f"paused: {', '.join(found['paused'])}")
    parts += [f"{each['url']} does not answer" for each in found.get("buses", ()) if "error" in each]
    return Text(printable(", ".join(parts)))


def _queues(found: Mapping[str, Any], before: Mapping[str, Any] | None, seconds: float) -> Table:
    table = _table("TASK CLASS", *("WAITING", "IN FLIGHT", "DELAYED", "CHANGE/S"), numbers=4)
    depths = {queue["name"]: _depth(queue) for queue in before["queues"]} if before is not None else {}
    for queue in found["queues"]:
        change = ""
        if before is not None and seconds > 0:
            change = f"{(_depth(queue) - depths.get(queue['name'], 0)) / seconds:+,.0f}"
        counts = [str(queue.get(name, "")) for name in ("waiting", "in_flight", "delayed")]
        table.add_row(*map(_text, [queue["task_class"] or queue["name"], *counts, change]))
    return table


def _depth(queue: Mapping[str, Any]) -> int:
    return int(queue["waiting"] + queue["in_flight"] + queue.get("delayed", 0))  # ActiveMQ does not tell that one


def _workers(found: Mapping[str, Any]) -> Table:
    table = _table("DRONE", "PID", "WORKER", "STATE", "TASK CLASS", "TASK", "FOR")
    for drone in found["drones"]:
        for worker in drone["workers"]:
            seconds = f"{worker['seconds']:.1f} s" if "seconds" in worker else ""
            values = [drone["id"], str(drone["pid"]), worker["name"], worker["state"]]
            table.add_row(*map(_text, [*values, worker.get("task_class") or "", worker["task"] or "", seconds]))
    return table


def _table(first: str, *others: str, numbers: int = 0) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first)
    for index, name in enumerate(others):
        table.add_column(name, justify="right" if index < numbers else "left", no_wrap=True)
    return table


def _text(value: str) -> Text:
    return Text(printable(value))  # not markup: names are other people's
