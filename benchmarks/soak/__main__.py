"""Tasks at a steady rate for a long time, and whether memory, threads, open files, the store or waits grow meanwhile.

    python -m benchmarks.soak --minutes 30
    python -m benchmarks.soak --minutes 240 --rate 100 --faults
    python -m benchmarks.soak --minutes 30 --json > soak.json

An embedded bus, a supervisor with two drones and a client are started for it. The mix is of plain tasks in threads,
processes and coroutines, delayed ones, some whose first attempt fails, and local trees; one in ten wants a reply.
Exit code 0: nothing grew above its limit, nothing was lost, all replies came. 1: something did, and it is named.
"""

from __future__ import annotations

import random
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.soak import faults
from benchmarks.soak.judging import Limit, Point, Verdict, judge_all
from benchmarks.soak.swarm import LIMITS, Soaked
from swarmage.bench.machine import facts
from swarmage.cli.text import as_json, columns
from swarmage.errors import SwarmageError

WARM_UP_SHARE, LONGEST_WARM_UP = 0.25, 300.0
"""The share of a run, and the seconds at most, whose figures do not count: caches and pools fill then."""
WARM_UP_TASKS = 25_000
"""Tasks that it takes in any case, though not more than half of the run: a drone grows by 7 MB with these."""
BETWEEN_FAULTS = (5.0, 20.0)
QUIET_SECONDS = 5.0
"""How long before the end no fault strikes."""
FAULTS_WAIT = 1000.0
"""Milliseconds by which the p99 may grow where there are faults: a pause of a second is in one window or another."""
LEAST_OFFERED = 0.95
"""The share of the rate that has to be inserted, or the run was not what it was to be."""
_HEAD = ("WHAT", "", "FIRST THIRD", "LAST THIRD", "AN HOUR", "GREW BY", "ALLOWED", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is asked for.

    Attributes:
        seconds: how long tasks are inserted.
        rate: how many in a second.
        every: seconds between two looks.
        slack: how many times the limits are allowed.
        faults: the seed of the faults; None for none.
    """

    seconds: float
    rate: float
    every: float
    slack: float
    faults: int | None

    @property
    def warm_up(self) -> float:
        """Seconds whose figures do not count."""
        share = min(LONGEST_WARM_UP, self.seconds * WARM_UP_SHARE)
        return min(self.seconds / 2, max(share, WARM_UP_TASKS / self.rate))


@dataclass(kw_only=True)
class Soak:
    """A run.

    Attributes:
        series: the figures, by their names, with seconds since the begin.
        struck: the faults.
        problems: what is wrong besides growth.
        tasks: how many were inserted, performed, and so on.
        verdicts: what is to be said of the series.
    """

    series: defaultdict[str, list[Point]] = field(default_factory=lambda: defaultdict(list))
    struck: list[tuple[float, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    tasks: dict[str, int] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        """Everything that is wrong; empty for a good run."""
        return self.problems + [str(verdict) for verdict in self.verdicts if not verdict.good]


@click.command()
@click.option("--minutes", type=click.FloatRange(min=0.2), default=30.0, show_default=True, help="How long.")
@click.option("--rate", type=click.FloatRange(min=10), default=300.0, show_default=True, help="Tasks a second.")
@click.option("--every", type=click.FloatRange(min=0.2), default=5.0, show_default=True, help="Seconds between looks.")
@click.option("--faults", "with_faults", is_flag=True, help="With a gentle mix of faults.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the faults.")
@click.option(
    "--slack", type=click.FloatRange(min=0), default=1.0, show_default=True, help="How many times the limits allow."
)
@click.option("--json", "json_wanted", is_flag=True, help="Print one JSON object with all figures.")
def main(
    *, minutes: float, rate: float, every: float, with_faults: bool, seed: int, slack: float, json_wanted: bool
) -> None:
    """Keep a swarm busy for a long time, and fail when something grows that should not."""
    plan = Plan(seconds=60 * minutes, rate=rate, every=every, slack=slack, faults=seed if with_faults else None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that everything is ended
    machine = facts(Path(tempfile.gettempdir()))
    try:
        soak = run(plan)
    except (SwarmageError, RuntimeError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    if json_wanted:
        click.echo(as_json(_told(machine, plan, soak), indent=None))
    else:
        click.echo(", ".join(f"{name} {value}" for name, value in machine.items()))
        click.echo(", ".join(f"{value} {name}" for name, value in soak.tasks.items()))
        click.echo(table(soak.verdicts))
    for line in soak.wrong:
        click.echo(f"soak: {line}", err=True)
    sys.exit(1 if soak.wrong else 0)


def _told(machine: Mapping[str, str], plan: Plan, soak: Soak) -> dict[str, Any]:
    return {
        "machine": machine,
        "plan": asdict(plan),
        "limits": {name: asdict(limit) for name, limit in LIMITS.items()},
        "tasks": soak.tasks,
        "verdicts": [{**asdict(verdict), "good": verdict.good} for verdict in soak.verdicts],
        "wrong": soak.wrong,
        "struck": soak.struck,
        "series": soak.series,
    }


def run(plan: Plan) -> Soak:
    """Do it, with a bar on stderr that a terminal shows.

    Raises:
        SwarmageError: the bus or a supervisor ended in failure, or did not start.
        RuntimeError: the client did.
        ValueError: it was too short to tell a slope.
    """
    parts = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with (
        Soaked(faults=plan.faults is not None) as soaked,
        Progress(*parts, console=Console(stderr=True), transient=True) as bar,
    ):
        line = bar.add_task("starting a swarm", total=plan.seconds)
        soak = Soak()
        soaked.offer(plan.rate)
        _watch(soaked, plan, soak, lambda seconds, text: bar.update(line, completed=seconds, description=text))
        bar.update(line, description="draining")
        said = soaked.end_offer()
        soaked.drain(said["inserted"])
        _count(soaked, plan, soak, said)
    limits = dict(LIMITS)
    if plan.faults is not None:
        limits["p99"] = Limit(per_hour=0.0, floor=FAULTS_WAIT, unit="ms")
    soak.verdicts = judge_all(soak.series, limits, plan.warm_up, plan.slack)
    return soak


def _watch(soaked: Soaked, plan: Plan, soak: Soak, show: Callable[[float, str], None]) -> None:
    """Look every so many seconds until the time is over, and let faults strike in between."""
    dice = random.Random(plan.faults)
    began = time.monotonic()
    look, fault = plan.every, dice.uniform(*BETWEEN_FAULTS) if plan.faults is not None else float("inf")
    while (now := time.monotonic() - began) < plan.seconds:
        soaked.check()
        if now >= fault and now < plan.seconds - QUIET_SECONDS:
            soak.struck.append((round(now, 1), faults.strike(soaked, dice)))
            fault = now + dice.uniform(*BETWEEN_FAULTS)
        elif now >= look:
            figures = soaked.figures()
            for name, value in figures.items():
                soak.series[name].append(Point(now, value))
            show(now, _shown(figures))
            look += plan.every
        else:
            time.sleep(min(0.1, look - now))


def _shown(figures: Mapping[str, float]) -> str:
    memory = ", ".join(
        f"{name.partition(':')[0]} {value:.0f} MB" for name, value in figures.items() if name.endswith("memory")
    )
    return f"{memory}, p99 {figures.get('wait: p99', 0):.0f} ms"


def _count(soaked: Soaked, plan: Plan, soak: Soak, said: Mapping[str, Any]) -> None:
    """Count the tasks, and say what is wrong with them."""
    doubtful = {number for first, end in said["doubtful"] for number in range(first, end)}
    attempted = said["inserted"] + len(doubtful)
    lost = soaked.listener.missing(attempted, doubtful)
    soak.tasks = {
        "inserted": said["inserted"],
        "performed": soaked.listener.performed(),
        "lost": lost,
        "performed twice": soaked.listener.repeated(),
        "replies": said["right"],
        "faults": len(soak.struck),
    }
    if lost:
        soak.problems.append(f"{lost} tasks were inserted and not performed")
    if said["wrong"]:
        soak.problems.append(f"{len(said['wrong'])} replies did not come, or wrong: {'; '.join(said['wrong'][:3])}")
    if plan.faults is None and (repeated := soaked.listener.repeated()):
        soak.problems.append(f"{repeated} tasks were performed twice, and there was no fault")
    rate = attempted / said["seconds"]
    if rate < LEAST_OFFERED * plan.rate:
        soak.problems.append(f"{rate:.0f} tasks a second were inserted, not {plan.rate:.0f}: ask for fewer with --rate")


def table(verdicts: Sequence[Verdict]) -> str:
    """Return all of them as columns."""
    rows = [
        (
            each.name,
            each.unit,
            round(each.first, 1),
            round(each.last, 1),
            round(each.per_hour, 1),
            round(each.grown, 1),
            round(each.allowed, 1),
            "" if each.good else "GROWS",
        )
        for each in verdicts
    ]
    return columns(_HEAD, rows)


if __name__ == "__main__":
    main()
