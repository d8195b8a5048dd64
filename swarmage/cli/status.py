"""``status``: what the bus knows of itself, its queues and the drones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from typing import Any

import click

from swarmage.cli.text import ago, as_json, columns, in_units, printable
from swarmage.client.client import Client

ANSWER_SECONDS = 4.0

_OF_MESSAGES = {
    "messages_in", "messages_out", "messages_waiting", "rate_in", "rate_out", "acked", "expired", "dead",
    "unsaved_bytes", "stored_bytes", "disk_free_bytes",
}  # fmt: skip


@click.command()
@click.option("--json", "json_wanted", is_flag=True, help="Print one JSON object with bus, queues and drones.")
def status(*, json_wanted: bool) -> None:
    """Show the bus, how many tasks wait in each queue, how fast they come and go, and what drones and workers do.

    A queue whose task class no drone performs is marked: its tasks wait until one does. The bus is that of
    SWARMAGE_URL, else the one that was started here. Where SWARMAGE_URL names several, the figures of queues of the
    same name are added up.

    \b
    Example:
      swarmage status --json
    """
    with Client(timeout=ANSWER_SECONDS) as client:
        found = client.status(timeout=ANSWER_SECONDS)
    click.echo(as_json(found) if json_wanted else _as_text(found))


def _as_text(found: Mapping[str, Any]) -> str:
    able = Counter(name for drone in found["drones"] for name in {n for w in drone["workers"] for n in _queues_of(w)})
    paused = set(found.get("paused", ()))
    parts = [*map(_bus, found.get("buses") or [found["bus"]]), _queues(found, able, paused), _drones(found["drones"])]
    orders = _orders(found)
    if orders:
        parts.append(orders)
    if found.get("silent_drones"):
        parts.append(f"{found['silent_drones']} more did not answer: busy beyond measure, or without our key")
    return "\n\n".join(parts)


def _queues_of(worker: Mapping[str, Any]) -> list[str]:
    """Return the names of the queues that bring a worker its tasks: of a KeyedWorker the kind's, too."""
    return [*worker["abilities"], *([worker["kind"]] if "kind" in worker else [])]


def _bus(bus: Mapping[str, Any]) -> str:
    line = f"bus {bus['url']}"
    if "error" in bus:
        return printable(f"{line} does not answer: {bus['error']}")
    for name, value in bus.items():
        if name not in {"url", "note", "time"} and name not in _OF_MESSAGES and value is not None:
            line += f", {name} {ago(value) if name == 'uptime' else value}"
    return printable(line) + _messages(bus)


def _messages(bus: Mapping[str, Any]) -> str:
    """Return the second line, nothing where the bus does not tell."""
    parts = []
    if bus.keys() >= {"rate_in", "rate_out", "messages_waiting"}:
        parts = [f"{bus['rate_in']:.1f}/s in, {bus['rate_out']:.1f}/s out, {bus['messages_waiting']} wait"]
    parts += [f"{bus[name]} {name}" for name in ("acked", "expired", "dead") if bus.get(name)]
    for name, what in (("stored_bytes", "stored"), ("unsaved_bytes", "not stored yet"), ("disk_free_bytes", "free")):
        if bus.get(name):
            parts.append(f"{in_units(bus[name])} {what}")
    return "\nmessages: " + ", ".join(parts) if parts else ""


def _orders(found: Mapping[str, Any]) -> str:
    """Return what stands until somebody says otherwise."""
    lines = [f"paused: {name}" for name in found.get("paused", ())]
    lines += [f"concurrency: {name}={count}" for name, count in found.get("concurrency", {}).items()]
    if found.get("cancelled"):
        lines.append(f"cancelled tasks: {found['cancelled']}")
    return printable("\n".join(lines), keep="\n")


def _queues(found: Mapping[str, Any], able: Mapping[str, int], paused: Set[str]) -> str:
    queues = found["queues"]
    if not queues:
        return printable(str(found["bus"].get("note") or "no tasks wait"))
    rows = []
    for queue in queues:
        mark = "" if queue["consumers"] or not queue["task_class"] else "nobody performs it"
        if queue["task_class"] in paused:
            mark = "paused"
        counts = [queue.get(name, "") for name in ("waiting", "in_flight", "delayed", "rate_in", "rate_out")]
        drones = able.get(queue["task_class"], 0) if queue["task_class"] else ""
        rows.append([queue["task_class"] or queue["name"], *counts, drones, mark])
    return columns(("TASK CLASS", "WAITING", "IN FLIGHT", "DELAYED", "IN/S", "OUT/S", "DRONES", ""), rows)


def _drones(drones: Sequence[Mapping[str, Any]]) -> str:
    if not drones:
        return "no drones"
    rows = [
        [
            drone["id"],
            drone["host"],
            drone["pid"],
            worker["name"],
            worker["state"],
            _for(worker),
            worker["task"] or "",
            able,
        ]
        for drone in drones
        for worker in drone["workers"]
        for able in [", ".join(worker["abilities"])]
    ]
    return columns(("DRONE", "HOST", "PID", "WORKER", "STATE", "FOR", "TASK", "ABILITIES"), rows)


def _for(worker: Mapping[str, Any]) -> str:
    return ago(worker["seconds"]) if "seconds" in worker else ""
