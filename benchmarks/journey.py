"""Where the time of one task goes, from its insert until its result is back: each line that it passes, in a real swarm.

One bus with its data on disk, one drone process with 8 thread workers, one client whose 16 threads insert at a steady
rate and wait for each result. Watching costs some microseconds a line, so the whole is a little longer than
`swarmage bench --only latency` says.

    python -m benchmarks.journey                 1,000 tasks a second for 5 s
    python -m benchmarks.journey --rate 100
    python -m benchmarks.journey --json          for machines
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks.facts import tell
from benchmarks.journey_marks import MARKS_TO, Mark, marks, note, watch_client
from swarmage import Client
from swarmage.bench.process_cost import cost_of
from swarmage.bench.swarm import Swarm, free_ports
from swarmage.bench.workers import Threads

LINES = {
    "client writes": "client: wake up, make the task, sign it",
    "bus reads task": "socket: client to bus",
    "bus takes task": "bus: read the frame",
    "store begins task": "bus: wait for the commit before",
    "store ends task": "bus: commit",
    "bus hears task": "bus: back to its loop",
    "bus writes task": "bus: hand it out",
    "drone reads": "socket: bus to drone",
    "begins": "drone: read, check, decode; a worker wakes up",
    "ends": "worker: perform it, write and sign the result",
    "drone finalizes": "drone: its own thread wakes up",
    "drone writes": "drone: finalize, write",
    "bus reads reply": "socket: drone to bus",
    "bus takes reply": "bus: read the transaction",
    "store begins reply": "bus: wait for the commit before",
    "store ends reply": "bus: commit",
    "bus hears reply": "bus: back to its loop",
    "bus writes reply": "bus: hand it out",
    "client reads": "socket: bus to client",
    "result": "client: read, check, decode; the originator wakes up",
}
"""By what is noted at its end, each leg of the way, in order; the first begins when the task is due."""
WHOLE = {
    "from due to confirmed": ("due", "confirmed"),
    "from due to start": ("due", "begins"),
    "from due to result": ("due", "result"),
}
_THREADS = 16
_SECONDS = 60.0


class Watched(Swarm):
    """A swarm whose bus is watched."""

    def argv(self, command: Sequence[str]) -> list[str]:
        """Return what starts a command of swarmage."""
        if command[0] == "bus":
            return [sys.executable, "-m", "benchmarks.journey_marks", *command]
        return super().argv(command)


def travel(rate: int, seconds: float) -> tuple[list[dict[str, float]], dict[str, float]]:
    """Have tasks performed at a steady rate.

    Returns:
        When each passed which line, but for the first tenth; and the microseconds of CPU that each cost, by process.
    """
    watch_client()
    with Watched(free_ports(1)[0]) as swarm:
        os.environ[MARKS_TO] = str(swarm.home)
        try:
            swarm.start_bus()
            assert swarm.bus is not None
            with Client(timeout=_SECONDS) as client:
                drone = swarm.start_drone(("benchmarks.journey_worker",))
                client.insert(Threads.begin).result(_SECONDS)
                count, pids = int(rate * seconds), {"bus": swarm.bus.pid, "drone": drone.pid, "client": os.getpid()}
                before = _cpu_seconds(pids)
                _originate_all(client, rate, count)
                cpu = {name: (used - before[name]) / count * 1e6 for name, used in _cpu_seconds(pids).items()}
                swarm.stop(drone)
            swarm.stop(swarm.bus)
            noted = [*marks, *_others(swarm.home)]
        finally:
            del os.environ[MARKS_TO]
    tasks: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for line, task, when in noted:
        tasks[task].setdefault(line, when)
    whole = [passed for passed in tasks.values() if "due" in passed and passed.keys() >= LINES.keys()]
    whole.sort(key=lambda passed: passed["due"])
    return whole[len(whole) // 10 :], cpu


def _cpu_seconds(pids: dict[str, int]) -> dict[str, float]:
    return {name: cost_of(pid, alone=pid == os.getpid()).cpu_seconds for name, pid in pids.items()}


def _others(folder: Path) -> list[Mark]:
    """Return what the other processes have noted."""
    return [(line, task, when) for file in folder.glob("*.json") for line, task, when in json.loads(file.read_text())]


def _originate_all(client: Client, rate: int, count: int) -> None:
    started = time.monotonic() + 0.1
    due = [started + number / rate for number in range(count)]
    with ThreadPoolExecutor(_THREADS) as threads:
        parts = [threads.submit(_originate, client, due[first::_THREADS]) for first in range(_THREADS)]
        for part in parts:
            part.result()


def _originate(client: Client, due: Sequence[float]) -> None:
    for when in due:
        wait = when - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        reply = client.insert("bench.begin")
        note("confirmed", [reply.id])
        reply.result(_SECONDS)
        note("result", [reply.id])
        note("due", [reply.id], when)


@click.command()
@click.option("--rate", default=1000, show_default=True, help="Tasks a second.")
@click.option("--seconds", default=5.0, show_default=True, help="How long they are offered.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(*, rate: int, seconds: float, as_json: bool) -> None:
    """Show where the time of one task goes."""
    tasks, cpu = travel(rate, seconds)
    samples: dict[str, list[float]] = {}
    begin = "due"
    for number, (end, leg) in enumerate(LINES.items(), 1):
        samples[f"{number:2} {leg}"] = [(passed[end] - passed[begin]) * 1e3 for passed in tasks]
        begin = end
    for name, (first, last) in WHOLE.items():
        samples[name] = [(passed[last] - passed[first]) * 1e3 for passed in tasks]
    tell(samples, _draw, as_json=as_json, rate=rate, tasks=len(tasks), cpu=cpu)


def _draw(facts: dict[str, Any]) -> None:
    title = f"{facts['tasks']:,} tasks, {facts['rate']:,}/s, milliseconds; {facts['machine']}, Python {facts['python']}"
    table = Table(title=title, title_justify="left")
    table.add_column("leg")
    for heading in ("p50", "mean", "p95", "p99"):
        table.add_column(heading, justify="right")
    for name, values in facts["samples"].items():
        hundredths = statistics.quantiles(values, n=100)
        figures = (hundredths[49], statistics.fmean(values), hundredths[94], hundredths[98])
        if name in WHOLE and table.row_count == len(LINES):
            table.add_section()
        table.add_row(name, *[f"{figure:.2f}" for figure in figures])
    cpu = ", ".join(f"{name} {used:.0f}" for name, used in facts["cpu"].items())
    table.caption = f"microseconds of CPU a task: {cpu}"
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
