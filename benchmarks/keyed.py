"""What keyed actors cost: tasks a second for one key and for many, and the memory of a key that does nothing.

One bus process, one drone process with 8 threads, states of 1 KB, each task changes one: it is on disk, in one
transaction with the ack, before the next of its key begins.

    python -m benchmarks.keyed                   medians of five, about three minutes
    python -m benchmarks.keyed --runs 1 --tasks 2000
    python -m benchmarks.keyed --json            for machines
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.facts import tell
from swarmage import Client, Task
from swarmage.bench.swarm import Swarm, free_ports
from swarmage.client.status import bus_figures
from swarmage.wire.names import keyed_destination

TASK_CLASS = "counted.count"
QUEUE = keyed_destination("counted")
SIZE = 1_000
TIMEOUT = 300.0


def tasks_of(keys: int, tasks: int, name: str) -> list[Task]:
    """Return tasks that take the keys in turns."""
    return [Task(task_class=TASK_CLASS, args=(SIZE,), key=f"{name} {n % keys}") for n in range(tasks)]


def insert(client: Client, tasks: list[Task]) -> None:
    """Insert the tasks, and return when all of them are acknowledged."""
    client.insert_many(TASK_CLASS, tasks, reply=False)
    deadline = time.monotonic() + TIMEOUT
    while any(
        queue["waiting"] + queue["in_flight"]
        for queue in bus_figures(client.bus, 30, client.clock)["queues"]
        if queue["name"] == QUEUE
    ):
        if time.monotonic() > deadline:
            raise TimeoutError(f"some of {len(tasks)} tasks are left after {TIMEOUT:.0f} s")
        time.sleep(0.01)


def rate(keys: int) -> Callable[[Place, int], float]:
    """Return a question for the tasks a second with so many keys, whose actors are in memory."""

    def ask(place: Place, tasks: int) -> float:
        insert(place.client, tasks_of(keys, keys, f"of {keys}"))
        started = time.perf_counter()
        insert(place.client, tasks_of(keys, tasks, f"of {keys}"))
        return tasks / (time.perf_counter() - started)

    return ask


def cold(place: Place, tasks: int) -> float:
    """Return the tasks a second of which each has a key whose state has to be loaded."""
    insert(place.client, tasks_of(tasks, tasks, "cold"))
    place.restart_drone()
    started = time.perf_counter()
    insert(place.client, tasks_of(tasks, tasks, "cold"))
    return tasks / (time.perf_counter() - started)


def bytes_in_drone(place: Place, tasks: int) -> float:
    """Return the bytes that a key with a state of 1 KB takes in its drone, while it is not passivated."""
    return _growth(place, tasks, lambda: place.drone_pid)


def bytes_in_bus(place: Place, tasks: int) -> float:
    """Return the bytes that a key with a state of 1 KB takes in the bus, whether anybody has it or not."""
    return _growth(place, tasks, lambda: place.bus_pid)


def _growth(place: Place, keys: int, pid: Callable[[], int]) -> float:
    insert(place.client, tasks_of(keys, keys, "first"))  # buffers grow once
    before = _memory(pid())
    insert(place.client, tasks_of(2 * keys, 2 * keys, f"idle {time.monotonic_ns()}"))
    return (_memory(pid()) - before) / (2 * keys)


def _memory(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Place:
    """A bus, a drone and a client."""

    def __init__(self, swarm: Swarm, client: Client) -> None:
        self._swarm = swarm
        self.client = client
        self._drone: subprocess.Popen[bytes] | None = None
        self.restart_drone()

    def restart_drone(self) -> None:
        """Have a drone that knows no key."""
        if self._drone is not None:
            self._swarm.stop(self._drone)
        self._drone = self._swarm.start_drone(("benchmarks.keyed_workers",))
        self._swarm.wait_for_drones(self.client, 1)

    @property
    def drone_pid(self) -> int:
        """The process of the drone."""
        return int(self.client.status()["drones"][0]["pid"])

    @property
    def bus_pid(self) -> int:
        """The process of the bus."""
        return int(bus_figures(self.client.bus, 30, self.client.clock)["bus"]["pid"])


QUESTIONS: dict[str, tuple[Callable[[Place, int], float], str]] = {
    "1 key": (rate(1), "tasks/s"),
    "1,000 keys": (rate(1_000), "tasks/s"),
    "each key loaded first": (cold, "tasks/s"),
    "an idle key in the drone": (bytes_in_drone, "bytes"),
    "an idle key in the bus": (bytes_in_bus, "bytes"),
}


@click.command()
@click.option("--runs", default=5, show_default=True, help="How often each question is asked, in turns.")
@click.option("--tasks", default=10_000, show_default=True, help="Tasks for each question.")
@click.option("--only", default="", metavar="WORDS", help="Ask only questions with these words.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(runs: int, tasks: int, only: str, as_json: bool) -> None:
    """Measure keyed actors on the embedded bus."""
    asked = {name: question for name, (question, _) in QUESTIONS.items() if only in name}
    samples: dict[str, list[float]] = {name: [] for name in asked}
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("measuring", total=runs * len(asked))
        for _ in range(runs):
            with Swarm(free_ports(1)[0]) as swarm:
                swarm.start_bus()
                with Client(timeout=60) as client:
                    place = Place(swarm, client)
                    for name, question in asked.items():
                        progress.update(bar, description=name)
                        samples[name].append(question(place, tasks))
                        progress.advance(bar)
    tell(samples, _draw, as_json=as_json)


def _draw(facts: dict[str, Any]) -> None:
    table = Table(title=f"Keyed actors; {facts['machine']}, Python {facts['python']}")
    for heading in ("question", "median", "lowest", "highest", "unit"):
        table.add_column(heading, justify="left" if heading in {"question", "unit"} else "right")
    for name, values in facts["samples"].items():
        figures = (statistics.median(values), min(values), max(values))
        table.add_row(name, *(f"{figure:,.0f}" for figure in figures), QUESTIONS[name][1])
    Console().print(table)


if __name__ == "__main__":
    main()
