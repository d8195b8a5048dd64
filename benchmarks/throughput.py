"""How many tasks a second: inserted, drained, and both at once; durable and signed.

One bus process, one drone process with 8 thread workers, no-op tasks, beside two raw sockets on the same bus in the
same run. Every insert is on disk before it counts as inserted, every task is acknowledged before it counts as drained.

    python -m benchmarks.throughput              medians of five, about two minutes
    python -m benchmarks.throughput --runs 1 --tasks 5000
    python -m benchmarks.throughput --json       for machines
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.facts import tell
from benchmarks.raw_socket import RawSocket, task_frame
from benchmarks.swarm import Swarm
from swarmage import Client
from swarmage.client.status import bus_figures
from swarmage.wire.names import task_destination

TASK_CLASS = "bench.noop"
QUEUE = task_destination(TASK_CLASS)
RAW_QUEUE = "/queue/bench.raw"
DRAIN_TIMEOUT = 300.0


def insert(swarm: Swarm, client: Client, tasks: int) -> float:
    """Insert all tasks in bulk; nobody performs them."""
    started = time.perf_counter()
    client.insert_many(TASK_CLASS, range(tasks), reply=False)
    return time.perf_counter() - started


def drain(swarm: Swarm, client: Client, tasks: int) -> float:
    """Perform what `insert` left: from the first task that leaves the queue to the last one's ack."""
    drone = swarm.start_drone()
    try:
        left = _wait(client, lambda left: left < tasks)  # the process is up: its start is not what is asked
        begun = time.perf_counter()
        _wait(client, lambda left: left == 0)
        return (time.perf_counter() - begun) * tasks / left
    finally:
        swarm.stop(drone)


def both(swarm: Swarm, client: Client, tasks: int) -> float:
    """Insert all tasks while the drone performs them, until the last is acknowledged."""
    drone = swarm.start_drone()
    try:
        swarm.wait_for_drones(client, 1)
        started = time.perf_counter()
        client.insert_many(TASK_CLASS, range(tasks), reply=False)
        _wait(client, lambda left: left == 0)
        return time.perf_counter() - started
    finally:
        swarm.stop(drone)


def raw_insert(swarm: Swarm, client: Client, tasks: int) -> float:
    """Send as many frames of the same size from a bare socket."""
    with RawSocket(swarm.address) as raw:
        return raw.send_all(task_frame(RAW_QUEUE), tasks)


def raw_drain(swarm: Swarm, client: Client, tasks: int) -> float:
    """Take and acknowledge them with a bare socket."""
    with RawSocket(swarm.address) as raw:
        return raw.receive_all(RAW_QUEUE, tasks)


def raw_both(swarm: Swarm, client: Client, tasks: int) -> float:
    """Do both at once with two bare sockets in this process."""
    with RawSocket(swarm.address) as sender, RawSocket(swarm.address) as receiver:
        started = time.perf_counter()
        sending = threading.Thread(target=sender.send_all, args=(task_frame(RAW_QUEUE), tasks))
        sending.start()
        receiver.receive_all(RAW_QUEUE, tasks)
        sending.join()
        return time.perf_counter() - started


def _left(client: Client) -> int:
    queues = bus_figures(client.bus, 30, client.clock)["queues"]
    return sum(q["waiting"] + q["in_flight"] + q["delayed"] for q in queues if q["name"] == QUEUE)


def _wait(client: Client, reached: Callable[[int], bool]) -> int:
    """Ask the bus every 10 ms how many are left, until the answer is as wanted; return it."""
    deadline = time.perf_counter() + DRAIN_TIMEOUT
    while not reached(left := _left(client)):
        if time.perf_counter() > deadline:
            raise TimeoutError(f"{left} tasks are left after {DRAIN_TIMEOUT:.0f} s")
        time.sleep(0.01)
    return left


# In this order: raw_drain takes what raw_insert sent, drain what insert did.
QUESTIONS: dict[str, Callable[[Swarm, Client, int], float]] = {
    "raw insert": raw_insert,
    "raw drain": raw_drain,
    "raw both": raw_both,
    "insert": insert,
    "drain": drain,
    "both": both,
}


def measure(tasks: int, runs: int, port: int) -> Iterator[tuple[str, float]]:
    """Ask all questions in turn, so many times; yield tasks a second."""
    with Swarm(port) as swarm:
        swarm.start_bus()
        with Client(timeout=60) as client:
            for _ in range(runs):
                for name, question in QUESTIONS.items():
                    yield name, tasks / question(swarm, client, tasks)


@click.command()
@click.option("--tasks", default=20_000, show_default=True, help="Tasks of each question; a multiple of 100.")
@click.option("--runs", default=5, show_default=True, help="How often each question is asked.")
@click.option("--port", default=61713, show_default=True, help="TCP port for the bus.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(tasks: int, runs: int, port: int, as_json: bool) -> None:
    """Measure how many tasks a second swarmage inserts and performs on its embedded bus."""
    samples: dict[str, list[float]] = {name: [] for name in QUESTIONS}
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("measuring", total=runs * len(QUESTIONS))
        for name, rate in measure(tasks, runs, port):
            samples[name].append(rate)
            progress.update(bar, advance=1, description=f"{name}: {rate:,.0f}/s")
    tell(samples, _draw, as_json=as_json, tasks=tasks)


def _draw(facts: dict[str, Any]) -> None:
    table = Table(title=f"{facts['tasks']:,} tasks, {facts['machine']}, Python {facts['python']}")
    for heading in ("question", "median/s", "lowest", "highest", "of raw sockets"):
        table.add_column(heading, justify="left" if heading == "question" else "right")
    medians = {name: statistics.median(rates) for name, rates in facts["samples"].items()}
    for name, rates in facts["samples"].items():
        raw = medians.get(f"raw {name}")
        share = f"{medians[name] / raw:.2f}" if raw else ""
        table.add_row(name, f"{medians[name]:,.0f}", f"{min(rates):,.0f}", f"{max(rates):,.0f}", share)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
