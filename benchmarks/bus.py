"""The embedded bus beside RabbitMQ: durable messages a second, latency, cost, backlog, connections.

Both run as processes of their own with their data on disk, and the same raw socket speaks STOMP to them in the same
run, in turns. Every message is persistent, in a durable queue, and confirmed by a receipt, which both give after the
disk has synced it. Medians of five runs; all samples are in --json.

    python -m benchmarks.bus                       rates and latency, a few minutes
    python -m benchmarks.bus --quick               one small run, to see that it works
    python -m benchmarks.bus --backlog --connections --plot bus.svg
    python -m benchmarks.bus --no-rabbitmq --json  the embedded bus alone, for machines

Runs on Linux, whose kernel counts what processes cost.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

import click
from rich.console import Console
from rich.progress import Progress

from benchmarks import bus_backlog, bus_connections, bus_latency, bus_plot, bus_rates, bus_report, disk_latency
from benchmarks.bus_report import Sample
from benchmarks.rabbitmq import RabbitMQ
from benchmarks.servers import Embedded, Server
from swarmage.bench.machine import facts

BODIES = {100: 1.0, 1024: 1.0, 65_536: 0.05}
"""Bodies in bytes, and the share of the messages that are sent with them."""

T = TypeVar("T")
Maker = Callable[[], AbstractContextManager[Server]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is asked, and how much of it."""

    runs: int
    messages: int
    rate: int
    seconds: float
    backlogs: Sequence[int]
    connections: Sequence[int]


def rates(makers: Sequence[Maker], plan: Plan) -> Iterator[Sample]:
    """Ask all servers for rates and latency in turns; who comes first alternates."""
    with ExitStack() as stack:
        servers = [stack.enter_context(make()) for make in makers]
        for server in servers:
            server.start()
            server.wait().close()
            bus_rates.warm_up(server)
        for run in range(plan.runs):
            for turn, (body, share) in enumerate(BODIES.items()):
                for server in _in_turn(servers, run + turn):
                    for sample in bus_rates.ask(server, body, int(plan.messages * share)):
                        yield replace(sample, run=run)
            for server in _in_turn(servers, run):
                yield replace(bus_latency.ask(server, plan.rate, plan.seconds), run=run)
            yield replace(disk_latency.ask(servers[0].data, plan.rate, plan.seconds), run=run)


def backlog(makers: Sequence[Maker], plan: Plan) -> Iterator[Sample]:
    """Ask each server, always a new one, how it takes each backlog."""
    for run in range(plan.runs):
        samples = []
        for turn, waiting in enumerate(plan.backlogs):
            for make in _in_turn(makers, run + turn):
                with make() as server:
                    samples.append(replace(bus_backlog.ask(server, waiting), run=run))
                yield bus_backlog.compare(samples)[-1]


def connections(makers: Sequence[Maker], plan: Plan) -> Iterator[Sample]:
    """Ask each server, a new one in each run, how it takes idle connections."""
    for run in range(plan.runs):
        for make in _in_turn(makers, run):
            with make() as server:
                for sample in bus_connections.ask(server, plan.connections, plan.messages):
                    yield replace(sample, run=run)


def _in_turn(things: Sequence[T], turn: int) -> Sequence[T]:
    return things if turn % 2 == 0 else things[::-1]


def _steps(plan: Plan, servers: int, *, waiting: bool, idle: bool) -> int:
    if not (waiting or idle):
        return plan.runs * (servers * (len(BODIES) * len(bus_rates.QUESTIONS) + 1) + 1)
    return plan.runs * servers * (len(plan.backlogs) * waiting + len(plan.connections) * idle)


@click.command()
@click.option("--runs", type=click.IntRange(min=1), help="How often each question is asked: 5, slow ones once.")
@click.option("--messages", default=20_000, show_default=True, help="Messages of a question; a twentieth at 64 KB.")
@click.option("--rate", default=1000, show_default=True, help="Messages a second offered for the latency.")
@click.option("--seconds", default=5.0, show_default=True, help="How long they are offered.")
@click.option("--backlog", "waiting", is_flag=True, help="Ask instead what waiting messages cost.")
@click.option("--most", default=1_000_000, show_default=True, help="The largest backlog.")
@click.option("--connections", "idle", is_flag=True, help="Ask instead what idle connections cost.")
@click.option("--quick", is_flag=True, help="One run with little of everything; its figures mean nothing.")
@click.option("--no-rabbitmq", is_flag=True, help="Leave RabbitMQ out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with all samples.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw backlog and connections here.")
def main(
    *, runs: int | None, messages: int, rate: int, seconds: float, waiting: bool, most: int, idle: bool, quick: bool,
    no_rabbitmq: bool, as_json: bool, plot: Path | None,
) -> None:  # fmt: skip
    """Measure the embedded bus, beside RabbitMQ where it is installed."""
    if quick:
        runs, messages, seconds, most = 1, min(messages, 2000), min(seconds, 1.0), min(most, 10_000)
    plan = Plan(
        runs=runs or (1 if waiting or idle else 5),
        messages=messages,
        rate=rate,
        seconds=seconds,
        backlogs=[10**power for power in range(3, 10) if 10**power <= most],
        connections=[1, 10, 100] if quick else [1, 10, 100, bus_connections.MOST],
    )
    _check_plot(plot, waiting or idle)
    makers = _makers(no_rabbitmq)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that everything is ended
    _allow_files()
    machine = _facts(makers)
    steps = _steps(plan, len(makers), waiting=waiting, idle=idle)
    samples: list[Sample] = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("starting", total=steps)
        asked = [backlog] * waiting + [connections] * idle or [rates]
        for ask in asked:
            for sample in ask(makers, plan):
                samples.append(sample)
                name, value = next(iter(sample.figures.items()))
                text = f"{sample.bus}, {sample.question}, {sample.load}: {value:,.1f} {name}"
                progress.update(bar, advance=1, description=text)
    _report(machine, samples, as_json=as_json)
    if plot is not None:
        bus_plot.plot(samples, plot)


def _check_plot(plot: Path | None, drawable: bool) -> None:
    if plot is None:
        return
    if not drawable:
        raise click.UsageError("--plot draws what --backlog and --connections find; add one of them")
    try:
        bus_plot.load()
    except ImportError as error:
        raise click.UsageError("--plot needs matplotlib; run: pip install 'swarmage[bench]'") from error


def _makers(no_rabbitmq: bool) -> list[Maker]:
    if no_rabbitmq:
        return [Embedded]
    if not RabbitMQ.is_there():
        raise click.UsageError("RabbitMQ is not installed here; install it, or leave it out with --no-rabbitmq")
    return [Embedded, RabbitMQ]


def _facts(makers: Sequence[Maker]) -> dict[str, str]:
    found: dict[str, str] = {}
    for make in makers:
        with make() as server:
            found = found or facts(server.data)
            if isinstance(server, RabbitMQ):
                found |= server.versions()
    return found


def _allow_files() -> None:
    """Let this process and the servers it starts open as many files as the system allows, for their sockets."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _report(machine: dict[str, str], samples: Sequence[Sample], *, as_json: bool) -> None:
    if as_json:
        json.dump({"machine": machine, "samples": [asdict(sample) for sample in samples]}, sys.stdout)
        print()
        return
    title = ", ".join(f"{name} {value}" for name, value in machine.items())
    Console(width=None if sys.stdout.isatty() else 132).print(bus_report.table(samples, title))


if __name__ == "__main__":
    main()
