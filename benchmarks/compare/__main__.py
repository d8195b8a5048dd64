"""swarmage beside its peers: inserting, performing, and how soon a task begins; in turns, on buses of its own.

    python -m benchmarks.compare                    all of it, in five rounds
    python -m benchmarks.compare --quick            one small round, to see that it works; its figures mean nothing
    python -m benchmarks.compare --only swarmage --only Celery
    python -m benchmarks.compare --tables           draw tables and plots again, of the samples that are kept

The first run installs each peer into an environment of its own, with pip and npm, in the folder .benchmarks. RabbitMQ,
Redis and node have to be installed. All samples go to docs/benchmarks/comparison.json, tables into docs/comparison.md,
plots beside the samples; --quick and --only write none of it.
"""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from benchmarks.compare import environments, report
from benchmarks.compare.asking import Asking, Plan
from benchmarks.compare.environments import NotInstalled
from benchmarks.compare.peers import LIMITS, PEERS, Peer
from benchmarks.compare.records import Comparison, load, save
from benchmarks.compare.running import ROOT
from benchmarks.compare.servers import started
from benchmarks.redis_server import FSYNCS
from swarmage.bench.machine import facts
from swarmage.cli.text import as_json

RESULTS = ROOT / "docs" / "benchmarks"
SAMPLES = RESULTS / "comparison.json"


@click.command()
@click.option("--only", multiple=True, help="Ask only the peers of this name; written nowhere.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1), help="How often each is asked.")
@click.option("--tasks", default=5000, show_default=True, type=click.IntRange(min=100), help="Of a round.")
@click.option("--redis-fsync", default="everysec", show_default=True, type=click.Choice(FSYNCS), help="Of its log.")
@click.option(
    "--cache", type=click.Path(path_type=Path), default=ROOT / ".benchmarks", help="Where peers are installed."
)
@click.option("--data", type=click.Path(path_type=Path, exists=True), help="Where our bus and SQLite keep their data.")
@click.option("--quick", is_flag=True, help="One small round, written nowhere.")
@click.option("--tables", is_flag=True, help="Ask nobody: draw tables and plots of the samples that are kept.")
@click.option("--json", "as_object", is_flag=True, help="Print one JSON object with all samples.")
def main(
    *, only: tuple[str, ...], rounds: int, tasks: int, redis_fsync: str, cache: Path, data: Path | None, quick: bool,
    tables: bool, as_object: bool,
) -> None:  # fmt: skip
    """Compare swarmage with its peers."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that everything is ended
    plan = Plan(rounds=1, tasks=min(tasks, 500), timed=50) if quick else Plan(rounds=rounds, tasks=tasks)
    cache = cache.absolute()
    cache.mkdir(parents=True, exist_ok=True)
    try:
        found = load(SAMPLES) if tables else _compare(plan, _chosen(only), redis_fsync, cache, data)
        if not (quick or only):
            save(found, SAMPLES)
            report.write(found, RESULTS, ROOT / "docs" / "comparison.md", cache)
    except (NotInstalled, OSError) as error:
        raise click.ClickException(str(error)) from error
    if as_object:
        print(as_json(found))
    else:
        print(report.tables(found))
    for title, failure in found.failures.items():
        print(f"{title} failed: {failure}", file=sys.stderr)
    sys.exit(1 if found.failures else 0)


def _chosen(only: Sequence[str]) -> list[Peer]:
    """Return the peers of these names and the limits of their buses.

    Raises:
        UsageError: there is no peer of one of these names.
    """
    known = {peer.name.lower() for peer in PEERS}
    for name in only:
        if name.lower() not in known:
            raise click.UsageError(f"there is no peer {name!r}; there is {', '.join(sorted(known))}")
    wanted = {name.lower() for name in only} or known
    peers = [peer for peer in PEERS if peer.name.lower() in wanted]
    return [limit for limit in LIMITS if limit.bus in {peer.bus for peer in peers}] + peers


def _compare(plan: Plan, peers: list[Peer], fsync: str, cache: Path, data: Path | None) -> Comparison:
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("installing peers", total=plan.rounds * len(peers))
        environments.prepare(cache, peers)
        machine = facts(data or Path(tempfile.gettempdir()))
        progress.update(bar, description="starting the buses")
        with started({peer.bus for peer in peers}, fsync, data) as (buses, versions):
            asking = Asking(plan, peers, buses, cache)
            records = list(asking.ask(_teller(progress, bar)))
    return Comparison(
        machine=machine,
        plan=asdict(plan) | {"redis_fsync": fsync},
        versions=versions | asking.versions,
        records=records,
        failures=asking.failures,
    )


def _teller(progress: Progress, bar: Any) -> Callable[[Peer, int], None]:
    def tell(peer: Peer, number: int) -> None:
        progress.update(bar, advance=1, description=f"round {number + 1}: {peer.title}")

    return tell


if __name__ == "__main__":
    main()
