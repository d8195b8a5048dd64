"""``bench``: a load test on this machine, with what bare sockets do beside it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from swarmage.bench.machine import facts
from swarmage.bench.measure import BACKLOG, QUESTIONS, Plan, measure
from swarmage.bench.samples import Sample, medians, short
from swarmage.cli.text import as_json, columns
from swarmage.supervisor.signals import stop_signals

_COUNT = click.IntRange(min=1)
_HEAD = ("QUESTION", "LOAD", "MEDIAN", "", "LOWEST", "HIGHEST", "POSSIBLE", "RATIO", "")
_NOTE = "RATIO: the median as a part of what is possible; of a time it is how many times that."


@click.command()
@click.option(
    "--only", multiple=True, type=click.Choice([*QUESTIONS, BACKLOG]), help="What to ask; all but backlog by default."
)
@click.option("--rounds", type=_COUNT, default=3, show_default=True, help="How often to ask; medians are shown.")
@click.option("--tasks", type=click.IntRange(min=100), default=10_000, show_default=True, help="Of each question.")
@click.option("--size", "sizes", type=_COUNT, multiple=True, default=(100,), metavar="BYTES", help="Of an argument.")
@click.option("--drones", type=_COUNT, multiple=True, default=(1,), metavar="N", help="How many drone processes.")
@click.option(
    "--rate", "rates", type=_COUNT, multiple=True, default=(100, 1000), metavar="N",
    help="Tasks a second that are offered to measure the latency; 100 and 1000 by default.",
)  # fmt: skip
@click.option("--seconds", type=click.FloatRange(min=0.1), default=1.0, show_default=True, help="How long, each rate.")
@click.option(
    "--backlog", "backlogs", type=_COUNT, multiple=True, default=(10_000,), metavar="N",
    help="How many tasks wait, with --only backlog.",
)  # fmt: skip
@click.option("--url", "guest", is_flag=True, help="Measure the bus of SWARMAGE_URL, not one that is started for it.")
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="DIR",
    help="Keep the bus's data for so long in this folder; its disk is what is measured.",
)  # fmt: skip
@click.option(
    "--timeout", type=click.FloatRange(min=1), default=600.0, show_default=True, metavar="S", help="For everything."
)
@click.option("--json", "json_wanted", is_flag=True, help="Print one JSON object with all samples.")
def bench(  # noqa: PLR0913 - one for each option
    only: tuple[str, ...],
    *,
    rounds: int,
    tasks: int,
    sizes: tuple[int, ...],
    drones: tuple[int, ...],
    rates: tuple[int, ...],
    seconds: float,
    backlogs: tuple[int, ...],
    guest: bool,
    data: Path | None,
    timeout: float,
    json_wanted: bool,
) -> None:
    """Measure start-up, tasks a second, latency, tasks that take time, and memory, in about a minute.

    A bus with its data on disk and drones are started for it, and ended again; with --url only drones are. Every task
    is signed and durable, as always. In the same run bare sockets send and take frames of the same size on the same
    bus: nothing that speaks STOMP can do more. Compare the ratios; the other figures belong to this machine today.
    Options that say how much may be given several times. Exit codes: 1 a process ended in failure, 3 no bus, 4 not
    done in time.

    \b
    Example:
      swarmage bench
      swarmage bench --only throughput --rounds 5 --tasks 20000 --drones 1 --drones 2
      swarmage bench --only backlog --backlog 1000000 --rounds 1 --json
    """
    plan = Plan(
        questions=only or QUESTIONS,
        rounds=rounds,
        tasks=tasks,
        sizes=sizes,
        drones=drones,
        rates=rates,
        seconds=seconds,
        backlogs=backlogs,
    )
    machine = facts(data or Path(tempfile.gettempdir()))
    with stop_signals(_interrupt):
        samples = _measure(plan, timeout, guest=guest, folder=data)
    if json_wanted:
        found = {"machine": machine, "plan": asdict(plan), "samples": samples, "medians": medians(samples)}
        click.echo(as_json(found))
        return
    click.echo(", ".join(f"{name} {value}" for name, value in machine.items()))
    click.echo(_table(samples))


def _interrupt() -> None:
    raise KeyboardInterrupt


def _measure(plan: Plan, seconds: float, *, guest: bool, folder: Path | None) -> list[Sample]:
    """Ask everything, with a bar on stderr that a terminal shows."""
    parts = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    samples = []
    with Progress(*parts, console=Console(stderr=True), transient=True) as bar:
        line = bar.add_task("starting a swarm", total=plan.samples)
        for sample in measure(plan, seconds, guest=guest, folder=folder):
            samples.append(sample)
            text = f"{sample.question}, {sample.load}: {short(sample.value)} {sample.unit}"
            bar.update(line, advance=1, description=escape(text))
    return samples


def _table(samples: Sequence[Sample]) -> str:
    rows = [
        (
            each.question,
            each.load,
            short(each.median),
            each.unit,
            short(each.lowest),
            short(each.highest),
            "" if each.limit is None else short(each.limit),
            "" if each.ratio is None else short(each.ratio),
            each.by,
        )
        for each in medians(samples)
    ]
    return f"{columns(_HEAD, rows)}\n\n{_NOTE}"
