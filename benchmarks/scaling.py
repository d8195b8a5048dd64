"""What a swarm costs while it does nothing, by how wide it is: drones, task classes, workers.

Memory and CPU time are what the kernel counts for each process, whatever else the machine does. How fast tasks are is
asked by the other load tests.

    python -m benchmarks.scaling                 medians of three, about ten minutes
    python -m benchmarks.scaling --quick
    python -m benchmarks.scaling --json          for machines
"""

from __future__ import annotations

import os
import time
from statistics import fmean, median
from typing import Any, NamedTuple

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.facts import tell
from benchmarks.scaling_workers import CLASSES, WORKERS
from swarmage import Client
from swarmage.bench.process_cost import cost_at_rest, cost_of
from swarmage.bench.swarm import Swarm, free_ports

MIB = 1024 * 1024
IDLE_SECONDS = 10.0


class Width(NamedTuple):
    """How wide a swarm is.

    Attributes:
        drones: processes.
        classes: task classes, all of them performed by each drone.
        workers: threads in each drone.
    """

    drones: int = 1
    classes: int = 1
    workers: int = 1

    def __str__(self) -> str:
        return f"{self.drones:,} / {self.classes:,} / {self.workers:,}"


QUICK = (Width(), Width(drones=4), Width(classes=100), Width(workers=100))
ALL = (
    *(Width(drones=number) for number in (1, 2, 4, 8, 16)),
    *(Width(classes=number) for number in (10, 100, 900)),
    *(Width(workers=number) for number in (10, 100, 1000)),
    Width(drones=16, classes=100, workers=8),
)


def measure(width: Width) -> dict[str, float]:
    """Start a swarm of this width and return what it takes while nothing happens."""
    os.environ |= {CLASSES: str(width.classes), WORKERS: str(width.workers)}
    with Swarm(free_ports(1)[0]) as swarm:
        swarm.start_bus()
        assert swarm.bus is not None
        bus = swarm.bus.pid
        with Client(timeout=60) as client:
            started = time.perf_counter()
            supervisor = swarm.start_drone(("benchmarks.scaling_workers",), width.drones).pid
            swarm.wait_for_drones(client, width.drones)
            ready = time.perf_counter() - started
            drones = [int(drone["pid"]) for drone in client.status()["drones"]]
        cost_at_rest(supervisor)
        before = {pid: cost_of(pid, alone=True) for pid in (bus, supervisor, *drones)}
        time.sleep(IDLE_SECONDS)
        cost = {pid: cost_of(pid, alone=True).since(then) for pid, then in before.items()}
    cpu = {pid: each.cpu_seconds / IDLE_SECONDS * 1e3 for pid, each in cost.items()}
    memory = {pid: each.rss_bytes / MIB for pid, each in cost.items()}
    return {
        "drone MiB": fmean(memory[pid] for pid in drones),
        "supervisor MiB": memory[supervisor],
        "bus MiB": memory[bus],
        "drone CPU ms/s": fmean(cpu[pid] for pid in drones),
        "supervisor CPU ms/s": cpu[supervisor],
        "bus CPU ms/s": cpu[bus],
        "s to ready": ready,
    }


@click.command()
@click.option("--runs", default=3, show_default=True, help="How often each swarm is started, in turns.")
@click.option("--quick", is_flag=True, help="Only a few swarms, each once.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(runs: int, quick: bool, as_json: bool) -> None:
    """Measure what idle swarms cost."""
    widths, runs = (QUICK, 1) if quick else (ALL, runs)
    samples: dict[str, list[float]] = {}
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("measuring", total=runs * len(widths))
        for _ in range(runs):
            for width in widths:
                progress.update(bar, description=str(width))
                for name, figure in measure(width).items():
                    samples.setdefault(f"{width}: {name}", []).append(figure)
                progress.advance(bar)
    tell(samples, _draw, as_json=as_json)


def _draw(facts: dict[str, Any]) -> None:
    table = Table(title=f"Idle swarms; {facts['machine']}, Python {facts['python']}; medians")
    table.add_column("drones / classes / workers")
    rows: dict[str, list[str]] = {}
    for name, values in facts["samples"].items():
        width, _, figure = name.partition(": ")
        if figure not in {str(column.header) for column in table.columns}:
            table.add_column(figure, justify="right")
        rows.setdefault(width, []).append(f"{median(values):,.1f}")
    for width, figures in rows.items():
        table.add_row(width, *figures)
    Console().print(table)


if __name__ == "__main__":
    main()
