"""How long it takes to ask an actor in another process, and how many asks a second.

One bus process with its data on disk, one process that publishes a pykka actor, and this one, which asks it.

    python -m benchmarks.refs              medians of five, about 20 seconds
    python -m benchmarks.refs --runs 1 --asks 500
    python -m benchmarks.refs --json       for machines
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import click
import pykka
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import swarmage
from benchmarks.facts import tell
from swarmage import Client, RemoteRef
from swarmage.bench.swarm import Swarm, free_ports

NAME = "bench"
THREADS = 8
DEADLINE = 60.0


class Echo(pykka.ThreadingActor):
    """Gives back what it is asked."""

    use_daemon_thread = True

    def on_receive(self, message: Any) -> Any:
        return message


def one_by_one(ref: RemoteRef, asks: int) -> list[float]:
    """Return the seconds that each of so many asks took, one after the other."""
    taken = []
    for number in range(asks):
        started = time.perf_counter()
        ref.ask(number, timeout=DEADLINE)
        taken.append(time.perf_counter() - started)
    return taken


def round_trip(ref: RemoteRef, asks: int) -> float:
    """Return the milliseconds of an ask, at the median."""
    return statistics.median(one_by_one(ref, asks)) * 1000


def slow_round_trip(ref: RemoteRef, asks: int) -> float:
    """Return the milliseconds within which 99 of 100 asks are answered."""
    return statistics.quantiles(one_by_one(ref, asks), n=100)[98] * 1000


def in_threads(ref: RemoteRef, asks: int) -> float:
    """Return the asks a second of several threads, each of which waits for its own."""
    threads = [threading.Thread(target=one_by_one, args=(ref, asks // THREADS)) for _ in range(THREADS)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return asks // THREADS * THREADS / (time.perf_counter() - started)


def in_a_row(ref: RemoteRef, asks: int) -> float:
    """Return the asks a second of one thread that takes a future of each and waits for all."""
    started = time.perf_counter()
    for future in [ref.ask(number, block=False) for number in range(asks)]:
        future.get(timeout=DEADLINE)
    return asks / (time.perf_counter() - started)


QUESTIONS: dict[str, tuple[Callable[[RemoteRef, int], float], str]] = {
    "one ask, half of them within": (round_trip, "ms"),
    "one ask, 99 of 100 within": (slow_round_trip, "ms"),
    "8 threads that wait": (in_threads, "asks/s"),
    "one thread with futures": (in_a_row, "asks/s"),
}


@click.command()
@click.option("--runs", default=5, show_default=True, help="How often each question is asked, in turns.")
@click.option("--asks", default=2000, show_default=True, help="How many asks answer one question.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(runs: int, asks: int, as_json: bool) -> None:
    """Measure remote references."""
    samples: dict[str, list[float]] = {name: [] for name in QUESTIONS}
    with Swarm(free_ports(1)[0]) as swarm:
        swarm.start_bus()
        publisher = subprocess.Popen([sys.executable, "-m", "benchmarks.refs", "publish"])
        try:
            with Client() as client, Progress(console=Console(stderr=True), transient=True) as progress:
                ref = client.ref(NAME)
                _wait(ref)
                one_by_one(ref, asks // 10)
                bar = progress.add_task("measuring", total=runs * len(QUESTIONS))
                for _ in range(runs):
                    for name, (answer, _unit) in QUESTIONS.items():
                        samples[name].append(answer(ref, asks))
                        progress.advance(bar)
        finally:
            publisher.terminate()
            publisher.wait(DEADLINE)
    tell(samples, _draw, as_json=as_json, asks=asks)


def _draw(facts: dict[str, Any]) -> None:
    table = Table(title=f"Remote references; {facts['machine']}, Python {facts['python']}, {facts['asks']:,} asks")
    for heading in ("question", "median", "lowest", "highest", "unit"):
        table.add_column(heading, justify="left" if heading in {"question", "unit"} else "right")
    for name, values in facts["samples"].items():
        unit = QUESTIONS[name][1]
        figures = (statistics.median(values), min(values), max(values))
        table.add_row(name, *(f"{each:,.2f}" if unit == "ms" else f"{each:,.0f}" for each in figures), unit)
    Console().print(table)


def _wait(ref: RemoteRef) -> None:
    """Return when the actor is there."""
    deadline = time.monotonic() + DEADLINE
    while not ref.is_alive():
        if time.monotonic() > deadline:
            raise TimeoutError("the process that publishes the actor has not started")


def publish() -> None:
    """Publish the actor until terminated."""
    with swarmage.publish(NAME, Echo.start()):
        threading.Event().wait()


if __name__ == "__main__":
    if sys.argv[1:] == ["publish"]:
        publish()
    else:
        main()
