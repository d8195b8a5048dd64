"""The buses one can choose, each beside raw sockets on it: tasks a second inserted, drained, both; and the latency.

One bus at a time, one drone process with 8 thread workers, no-op tasks, durable and signed. Raw sockets send and take
frames of the same size on the same bus in the same run, made beforehand and not looked into, in turns.
An insert counts when the bus has confirmed it; in the drain the time is that from the first task performed to the last.

    python -m benchmarks.engines                 medians of five on all buses that are installed, about 10 minutes
    python -m benchmarks.engines --quick         one small run, to see that it works
    python -m benchmarks.engines --only activemq --only rabbitmq --workers 64
    python -m benchmarks.engines --json          for machines
"""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.brokers import ActiveMQ, Broker, Embedded
from benchmarks.engine_workers import MARKS, TELL_TO
from benchmarks.facts import tell
from benchmarks.rabbitmq import Cluster, RabbitMQ
from swarmage import Client
from swarmage.bench.raw_latency import offer
from swarmage.bench.raw_socket import PREFETCH, RawSocket
from swarmage.bench.swarm import Swarm
from swarmage.bus.dialects import dialect_of
from swarmage.bus.dialects.dialect import Dialect
from swarmage.clock import SYSTEM_CLOCK
from swarmage.settings import Address
from swarmage.task import Task
from swarmage.wire.envelope import Wire
from swarmage.wire.names import task_destination

ENGINES: dict[str, tuple[type[Broker] | type[Cluster], str]] = {
    "embedded": (Embedded, "?dialect=embedded"),
    "rabbitmq": (RabbitMQ, "?queues=quorum&dialect=rabbitmq"),
    "rabbitmq-classic": (RabbitMQ, "classic?queues=classic&dialect=rabbitmq"),
    "rabbitmq-cluster": (Cluster, "?queues=quorum&dialect=rabbitmq"),
    "activemq": (ActiveMQ, "?dialect=activemq"),
}
"""Kind of bus, and the end of its URL."""
COUNT, LATE = "bench.count", "bench.late"
RAW_QUEUE = "/queue/bench.raw"
WINDOW = 1000
SILENCE = 0.5
"""Seconds after which a queue from which nothing comes is empty."""
DEADLINE = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One bus, and what is asked of it.

    Attributes:
        swarm: starts drones there.
        address: where it listens; of a cluster the first node, so that all go the same way.
        dialect: its words.
        client: inserts.
        heard: the socket on which the worker tells.
        tasks: how many answer a question.
        rate: how many tasks a second are offered for the latency.
        workers: threads of the drone, which on the buses of others takes as many tasks at once.
    """

    swarm: Swarm
    address: Address
    dialect: Dialect
    client: Client
    heard: socket.socket
    tasks: int
    rate: int
    workers: int

    @property
    def frame(self) -> bytes:
        """A SEND as the drone's are, to the queue of the raw sockets."""
        message = Wire(b"0" * 32, SYSTEM_CLOCK).task(Task(task_class=COUNT, args=(123456,)))
        return self.send(message.body, message.signature)

    def send(self, body: bytes, signature: str = "") -> bytes:
        """Return a SEND of this body."""
        message = Wire(b"0" * 32, SYSTEM_CLOCK).task(Task(task_class=COUNT))
        message = message._replace(destination=RAW_QUEUE, body=body, signature=signature or message.signature)
        head = self.dialect.send(message, SYSTEM_CLOCK.wall())
        return f"SEND\n{head}content-length:{len(body)}\n\n".encode() + body + b"\0"

    @property
    def taking(self) -> str:
        """The headers with which the raw sockets subscribe."""
        return "".join(f"{name}:{value}\n" for name, value in self.dialect.subscribe(RAW_QUEUE, PREFETCH).items())

    @contextmanager
    def drone(self, *marks: int) -> Iterator[None]:
        """Have a drone that tells when these tasks of it are performed."""
        os.environ[MARKS] = json.dumps(marks)
        drone = self.swarm.start("drone", "benchmarks.engine_workers", "-p", "1", "-c", f"Reporter={self.workers}")
        try:
            yield
        finally:
            self.swarm.stop(drone)

    def hear(self) -> tuple[int, float]:
        """Return what the worker tells next.

        Raises:
            TimeoutError: it tells nothing.
        """
        number, value = json.loads(self.heard.recv(1000))
        return number, value


def empty(bench: Bench, queue: str) -> None:
    """Take what is left, as by a drone that was ended before its last acks."""
    with RawSocket(bench.address) as raw:
        raw.subscribe(queue, bench.taking)
        with suppress(TimeoutError):
            while True:
                raw.acknowledge(raw.read_frames(SILENCE))
        raw.leave()


def raw_insert(bench: Bench) -> float:
    with RawSocket(bench.address) as raw:
        if bench.dialect.confirms_in_order:
            return raw.send_all(bench.frame, bench.tasks)
        return raw.send_confirmed(bench.frame, bench.tasks, WINDOW)


def raw_drain(bench: Bench) -> float:
    with RawSocket(bench.address) as raw:
        return raw.receive_all(RAW_QUEUE, bench.tasks, bench.taking)


def raw_both(bench: Bench) -> float:
    with ThreadPoolExecutor(1) as thread, RawSocket(bench.address) as receiver:
        started = time.perf_counter()
        inserting = thread.submit(raw_insert, bench)
        receiver.receive_all(RAW_QUEUE, bench.tasks, bench.taking)
        inserting.result()
        return time.perf_counter() - started


def insert(bench: Bench) -> float:
    started = time.perf_counter()
    bench.client.insert_many(COUNT, range(bench.tasks), reply=False)
    return time.perf_counter() - started


def drain(bench: Bench) -> float:
    with bench.drone(1, bench.tasks):
        _, began = bench.hear()
        _, ended = bench.hear()
    return (ended - began) * bench.tasks / (bench.tasks - 1)


def both(bench: Bench) -> float:
    with bench.drone(1, 1 + bench.tasks):
        bench.client.insert_many(COUNT, [0], reply=False)
        bench.hear()  # so it is there
        started = time.monotonic()
        insert(bench)
        _, ended = bench.hear()
    return ended - started


RATES: dict[str, tuple[Callable[[Bench], float], Callable[[Bench], float]]] = {
    "insert": (raw_insert, insert),
    "drain": (raw_drain, drain),
    "both": (raw_both, both),
}
"""Each question of raw sockets and of swarmage; `drain` takes what `insert` left."""


def raw_latency(bench: Bench, seconds: float) -> list[float]:
    """Return the seconds from a message's place in the schedule until it is delivered."""
    bodies = [b"%010d" % number + b"x" * 100 for number in range(int(bench.rate * seconds))]
    frames = [
        bench.send(body).replace(b"SEND\n", b"SEND\nreceipt:%d\n" % number, 1) for number, body in enumerate(bodies)
    ]
    return offer(bench.address, frames, bench.rate, RAW_QUEUE, bench.taking)[1]


def latency(bench: Bench, seconds: float) -> list[float]:
    """Return the seconds from a task's place in the schedule until a worker begins it."""
    with bench.drone(1):
        bench.client.insert_many(COUNT, [0], reply=False)
        bench.hear()
        began = time.monotonic() + 0.1
        due = [began + number / bench.rate for number in range(int(bench.rate * seconds))]
        with ThreadPoolExecutor(1) as thread:
            times = thread.submit(lambda: dict(bench.hear() for _ in due))
            for number, when in enumerate(due):
                wait = when - time.monotonic()
                if wait > 0:
                    time.sleep(wait)
                bench.client.insert_many(LATE, [(number, when)], reply=False)
            found = times.result()
    return [found[number] for number in range(len(due))]


@contextmanager
def _on(name: str, tasks: int, rate: int, workers: int = 8) -> Iterator[Bench]:
    """Start a bus and what is needed to ask it."""
    kind, end = ENGINES[name]
    with kind() as broker:
        broker.start()
        broker.wait().close()
        address = replace(broker.address, others=())
        address = Address.parse(f"{address.url}/{end}")
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
                swarm=swarm, address=address, dialect=dialect, client=client, heard=heard, tasks=tasks, rate=rate,
                workers=workers,
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
@click.option("--tasks", default=10_000, show_default=True, help="Tasks of a question; a multiple of 100.")
@click.option("--rate", default=200, show_default=True, help="Tasks a second offered for the latency.")
@click.option("--seconds", default=5.0, show_default=True, help="How long they are offered.")
@click.option("--workers", default=8, show_default=True, help="Threads of the drone.")
@click.option("--only", type=click.Choice(list(ENGINES)), multiple=True, help="This bus; may be given several times.")
@click.option("--quick", is_flag=True, help="One run with little of everything; its figures mean nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(
    *, runs: int, tasks: int, rate: int, seconds: float, workers: int, only: Sequence[str], quick: bool, as_json: bool
) -> None:
    """Measure swarmage on the buses it runs on, each beside raw sockets."""
    if quick:
        runs, tasks, seconds = 1, min(tasks, 1000), min(seconds, 1.0)
    chosen = [name for name in ENGINES if name in only or not only]
    missing = sorted({kind.package for kind, _ in (ENGINES[name] for name in chosen) if not kind.is_there()})
    if missing:
        raise click.UsageError(f"not installed here: {', '.join(missing)}; leave it out with --only")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that everything is ended
    samples: dict[str, list[float]] = {}
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("starting", total=len(chosen) * runs * 10)
        for engine in chosen:
            progress.update(bar, description=f"{engine} starts")
            with _on(engine, tasks, rate, workers) as bench:
                for question, figure in ask(bench, runs, seconds):
                    samples.setdefault(f"{engine}: {question}", []).append(figure)
                    progress.update(bar, advance=1, description=f"{engine}, {question}: {figure:,.1f}")
    tell(samples, _draw, as_json=as_json, tasks=tasks, rate=rate, workers=workers)


def _draw(facts: dict[str, Any]) -> None:
    title = f"{facts['tasks']:,} tasks, {facts['workers']} workers, {facts['machine']}, Python {facts['python']}"
    table = Table(title=title, title_justify="left")
    for heading in ("bus", "question", "median", "lowest", "highest", "raw sockets", "ratio"):
        table.add_column(heading, justify="left" if heading in {"bus", "question"} else "right")
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
        table.add_row("" if engine == last else engine, f"{question}, {unit}", *figures, f"{middle / raw:.2f}")
        last = engine
    table.caption = "ratio: of the raw sockets; above 1 is better for rates, below 1 for latency"
    Console(width=132).print(table)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


if __name__ == "__main__":
    main()
