"""What becomes of the tasks of swarmage and its peers when workers and buses are killed: one table.

    python -m benchmarks.chaos                          all peers, all faults
    python -m benchmarks.chaos --only rq --fault worker
    python -m benchmarks.chaos --json > samples.json

The first run installs each peer into an environment of its own, with pip, in the folder .benchmarks. RabbitMQ and Redis
have to be installed. Each peer gets a bus of its own, as it recommends: durable queues and confirmed inserts on
RabbitMQ, an append-only log on Redis, a synced file on SQLite. Then its tasks are inserted one by one, each when the
one before was confirmed, while the fault strikes. What is not done when nothing was done for `--drain` seconds is
stranded if the bus still has it, and lost if it has not.
"""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from benchmarks.chaos.peers import PEERS
from benchmarks.chaos.plan import Outcome, Plan
from benchmarks.chaos.trial import FAULTS, Trial, applies
from benchmarks.compare import environments
from benchmarks.compare.environments import NotInstalled
from swarmage.cli.text import as_json, columns

ROOT = Path(__file__).parents[2]
_HEAD = ("PEER", "FAULT", "CONFIRMED", "LOST", "STRANDED", "DUPLICATED", "LAST DONE AFTER S")


@click.command()
@click.option("--only", multiple=True, help="Peers whose names begin so.")
@click.option("--fault", "faults", multiple=True, type=click.Choice(list(FAULTS)), help="Only this one.")
@click.option("--tasks", default=200, show_default=True, type=click.IntRange(min=10), help="How many.")
@click.option("--seconds", default=0.1, show_default=True, help="How long each takes.")
@click.option(
    "--strikes", default=5, show_default=True, type=click.IntRange(min=1), help="How often the fault strikes."
)
@click.option("--drain", default=60.0, show_default=True, help="Seconds to wait for what is missing.")
@click.option(
    "--cache", type=click.Path(path_type=Path), default=ROOT / ".benchmarks", help="Where peers are installed."
)
@click.option("--json", "as_object", is_flag=True, help="Print JSON.")
def main(
    *, only: tuple[str, ...], faults: tuple[str, ...], tasks: int, seconds: float, strikes: int, drain: float,
    cache: Path, as_object: bool,
) -> None:  # fmt: skip
    """Strike swarmage and its peers, and count."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that everything is ended
    plan = Plan(tasks=tasks, seconds=seconds, strikes=strikes, drain=drain)
    cache = cache.absolute() / "chaos"  # beside those of benchmarks.compare, which are made of other versions
    cache.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    failed = 0
    for peer in PEERS:
        if only and not peer.name.lower().startswith(tuple(name.lower() for name in only)):
            continue
        for fault in faults or tuple(FAULTS):
            if not applies(peer, fault):
                continue
            with tempfile.TemporaryDirectory(prefix="swarmage-trial-") as folder:
                try:
                    environments.prepare(cache, [peer])
                    outcome = Trial(peer, environments.interpreter(cache, peer), Path(folder), plan).run(fault)
                except NotInstalled as error:
                    raise click.ClickException(str(error)) from error
                except Exception as error:  # noqa: BLE001 - one peer that fails is not the end of the others
                    failed += 1
                    click.echo(f"{peer.title}, {fault}: {type(error).__name__}: {error}", err=True)
                    continue
            outcomes.append(outcome)
            click.echo(f"{outcome}", err=True)
    click.echo(as_json([asdict(each) for each in outcomes]) if as_object else table(outcomes))
    sys.exit(1 if failed else 0)


def table(outcomes: Sequence[Outcome]) -> str:
    """Return all of them as columns."""
    rows = [
        (each.peer, each.fault, each.confirmed, each.lost, each.stranded, each.duplicated, each.seconds)
        for each in outcomes
    ]
    return columns(_HEAD, rows)


if __name__ == "__main__":
    main()
