"""The buses one can choose, each beside raw sockets on it: tasks a second inserted, drained, both; and the latency.

One bus at a time, one drone process with 8 thread workers, no-op tasks, durable and signed. Raw sockets send and take
frames of the same size on the same bus in the same run, made beforehand and not looked into, in turns.
An insert counts when the bus has confirmed it; in the drain the time is that from the first task performed to the last.

    python -m benchmarks.engines                 medians of five on all buses, about 10 minutes; ^C prints what there is
    python -m benchmarks.engines --quick         one small run, to see that it works
    python -m benchmarks.engines --only activemq --only rabbitmq --workers 64
    python -m benchmarks.engines --only rabbitmq --raw-ahead 8        raw sockets that take no more ahead than the drone
    python -m benchmarks.engines --only rabbitmq --ahead 128          a drone that takes more
    python -m benchmarks.engines --json          for machines
"""

from __future__ import annotations

import os
import signal
import socket
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.brokers import ActiveMQ, Broker, Embedded
from benchmarks.engine_questions import COUNT, RATES, RAW_QUEUE, Bench, empty, latency, raw_latency
from benchmarks.engine_workers import TELL_TO
from benchmarks.facts import tell
from benchmarks.rabbitmq import RabbitMQ
from benchmarks.rabbitmq_cluster import Cluster
from swarmage import Client
from swarmage.bench.raw_socket import PREFETCH
from swarmage.bench.swarm import Swarm
from swarmage.bus.dialects import dialect_of
from swarmage.settings import Address
from swarmage.wire.names import task_destination

ENGINES: dict[str, tuple[type[Broker] | type[Cluster], str, int]] = {
    "embedded": (Embedded, "?dialect=embedded", 20_000),
    "rabbitmq": (RabbitMQ, "?queues=quorum&dialect=rabbitmq", 4000),
    "rabbitmq-classic": (RabbitMQ, "classic?queues=classic&dialect=rabbitmq", 4000),
    "rabbitmq-cluster": (Cluster, "?queues=quorum&dialect=rabbitmq", 2000),
    "activemq": (ActiveMQ, "?dialect=activemq", 4000),
}
"""Kind of bus, the end of its URL, and how many tasks take it about a second or two."""
DEADLINE = 300.0
"""Seconds that one answer of a worker may take."""


@contextmanager
def _on(
    name: str, tasks: int, rate: int, workers: int = 8, ahead: int = 0, raw_ahead: int = PREFETCH
) -> Iterator[Bench]:
    """Start a bus and what is needed to ask it."""
    kind, end, enough = ENGINES[name]
    with kind() as broker:
        broker.start()
        broker.wait().close()
        address = replace(broker.address, others=())
        address = replace(Address.parse(f"{address.url}/{end}"), ahead=0 if name == "embedded" else ahead)
        with (
            Swarm(address) as swarm,
            Client(timeout=60) as client,
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard,
        ):
            os.environ[TELL_TO] = str(swarm.home / "heard")
            heard.bind(os.environ[TELL_TO])
            heard.settimeout(DEADLINE)
            dialect = dialect_of("", address)
            yield Bench(
                swarm=swarm, address=address, dialect=dialect, client=client, heard=heard, tasks=tasks or enough,
                rate=rate, workers=workers, raw_ahead=raw_ahead,
            )  # fmt: skip


def ask(bench: Bench, runs: int, seconds: float) -> Iterator[tuple[str, float]]:
    """Ask a bus all questions so often; yield name and figure: tasks a second, or milliseconds."""
    for run in range(-1, runs):
        for name, pair in RATES.items():
            for who, question in _in_turn(pair, run):
                if name != "drain":
                    empty(bench, RAW_QUEUE if who else task_destination(COUNT))
                rate = bench.tasks / question(bench)
                if run >= 0:  # the one before is for warming up
                    yield f"{who}{name}", rate
        empty(bench, RAW_QUEUE)
        empty(bench, task_destination(COUNT))
        for who, measured in _in_turn((raw_latency, latency), run):
            times = measured(bench, seconds)
            hundredths = statistics.quantiles(times[len(times) // 10 :], n=100)
            if run >= 0:
                yield f"{who}latency p50", hundredths[49] * 1000
                yield f"{who}latency p99", hundredths[98] * 1000


def _in_turn(pair: Sequence[Any], run: int) -> list[tuple[str, Any]]:
    both_of_them = [("raw ", pair[0]), ("", pair[1])]
    return both_of_them if run % 2 == 0 else both_of_them[::-1]


@click.command()
@click.option("--runs", default=5, show_default=True, help="How often each question is asked.")
@click.option("--tasks", default=0, help="Tasks of a question, a multiple of 100; by default what suits the bus.")
@click.option("--rate", default=200, show_default=True, help="Tasks a second offered for the latency.")
@click.option("--seconds", default=2.0, show_default=True, help="How long they are offered.")
@click.option("--workers", default=8, show_default=True, help="Threads of the drone.")
@click.option("--ahead", default=0, show_default=True, help="Tasks that the drone takes ahead on buses of others.")
@click.option("--raw-ahead", default=PREFETCH, show_default=True, help="Messages that the raw sockets take at once.")
@click.option("--only", type=click.Choice(list(ENGINES)), multiple=True, help="This bus; may be given several times.")
@click.option("--quick", is_flag=True, help="One run with little of everything; its figures mean nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(
    *,
    runs: int,
    tasks: int,
    rate: int,
    seconds: float,
    workers: int,
    ahead: int,
    raw_ahead: int,
    only: Sequence[str],
    quick: bool,
    as_json: bool,
) -> None:
    """Measure swarmage on the buses it runs on, each beside raw sockets."""
    if quick:
        runs, tasks, seconds = 1, min(tasks or 1000, 1000), min(seconds, 1.0)
    chosen = [name for name in ENGINES if name in only or not only]
    missing = sorted({kind.package for kind, _ in (ENGINES[name][:2] for name in chosen) if not kind.is_there()})
    if missing:
        raise click.UsageError(f"not installed here: {', '.join(missing)}; leave it out with --only")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that everything is ended
    samples: dict[str, list[float]] = {}
    options = {"rate": rate, "workers": workers, "ahead": ahead, "raw_ahead": raw_ahead}
    try:
        _ask_all(samples, chosen, runs, tasks, seconds, options)
    finally:  # whoever interrupts it, or one bus that fails, does not take away what the others have shown
        tell(
            _pairs(samples),
            _draw,
            as_json=as_json,
            tasks={name: tasks or ENGINES[name][2] for name in chosen},
            **options,
        )


def _ask_all(
    samples: dict[str, list[float]],
    chosen: Sequence[str],
    runs: int,
    tasks: int,
    seconds: float,
    options: dict[str, int],
) -> None:
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("starting", total=len(chosen) * runs * 10)
        for engine in chosen:
            progress.update(bar, description=f"{engine} starts")
            with _on(engine, tasks, **options) as bench:
                for question, figure in ask(bench, runs, seconds):
                    samples.setdefault(f"{engine}: {question}", []).append(figure)
                    progress.update(bar, advance=1, description=f"{engine}, {question}: {figure:,.1f}")


def _pairs(samples: dict[str, list[float]]) -> dict[str, list[float]]:
    """Leave out what was asked of one side only."""
    asked = {name.replace(": raw ", ": ") for name in samples}
    both_of_them = [name for name in asked if name in samples and name.replace(": ", ": raw ") in samples]
    return {name: values for name, values in samples.items() if name.replace(": raw ", ": ") in both_of_them}


def _draw(facts: dict[str, Any]) -> None:
    ahead = f"{facts['ahead']} ahead of them, {facts['raw_ahead']} ahead of raw sockets"
    title = f"{facts['workers']} workers, {ahead}, {facts['machine']}, Python {facts['python']}"
    table = Table(title=title, title_justify="left")
    for heading in ("bus, tasks", "question", "median", "lowest", "highest", "raw sockets", "ratio"):
        table.add_column(heading, justify="left" if heading in {"bus, tasks", "question"} else "right")
    samples: dict[str, list[float]] = facts["samples"]
    last = ""
    for name, values in samples.items():
        engine, _, question = name.partition(": ")
        if question.startswith("raw "):
            continue
        unit = f"ms at {facts['rate']}/s" if question.startswith("latency") else "tasks/s"
        raw = statistics.median(samples[f"{engine}: raw {question}"])
        middle = statistics.median(values)
        figures = [_short(figure) for figure in (middle, min(values), max(values), raw)]
        bus = f"{engine}, {facts['tasks'][engine]:,}"
        table.add_row("" if engine == last else bus, f"{question}, {unit}", *figures, f"{middle / raw:.2f}")
        last = engine
    table.caption = "ratio: of the raw sockets; above 1 is better for rates, below 1 for latency"
    Console(width=132).print(table)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


if __name__ == "__main__":
    main()
