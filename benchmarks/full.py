"""All that `swarmage bench` asks, at full size: sizes, drones, rates up to saturation, backlogs, a million tasks.

python -m benchmarks.full              all of it; writes docs/benchmarks/full.json and docs/benchmarks.md
python -m benchmarks.full --quick      little of everything, written nowhere; its figures mean nothing
python -m benchmarks.full --tables     write the tables again, of the samples that are kept
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from benchmarks.pages import replaced, table
from swarmage.bench.machine import facts
from swarmage.bench.measure import BACKLOG, Plan, measure
from swarmage.bench.samples import Median, Sample, medians, short
from swarmage.supervisor.signals import stop_signals

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "docs" / "benchmarks" / "full.json"
PAGE = ROOT / "docs" / "benchmarks.md"
MARKED = "full"
PLANS = (
    Plan(
        questions=("startup", "latency", "work"),
        rounds=3,
        rates=(100, 500, 1000, 2000, 4000),
        seconds=2.0,
        timed_tasks=2000,
    ),
    Plan(questions=("throughput",), rounds=5, tasks=20_000, sizes=(100, 1024, 65_536), drones=(1, 2)),
    Plan(questions=("memory",), rounds=1, tasks=1_000_000),
    Plan(questions=(BACKLOG,), rounds=1, backlogs=(1000, 10_000, 100_000, 1_000_000)),
)
"""What is asked, a part with a bus of its own each."""
_PART_SECONDS = 900.0


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), help="Where the bus keeps its data for so long.")
@click.option("--quick", is_flag=True, help="Little of everything, written nowhere.")
@click.option("--tables", is_flag=True, help="Ask nothing: write the tables of the samples that are kept.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with all samples.")
def main(*, data: Path | None, quick: bool, tables: bool, as_json: bool) -> None:
    """Measure swarmage on its embedded bus, at full size."""
    if tables:
        if not SAMPLES.exists():
            raise click.UsageError(f"there are no samples in {SAMPLES.relative_to(ROOT)}; leave --tables out")
        kept = json.loads(SAMPLES.read_text())
        machine, samples = kept["machine"], [Sample(**each) for each in kept["samples"]]
    else:
        machine = facts(data or Path(tempfile.gettempdir()))
        with stop_signals(_interrupt):
            samples = list(_measured(tuple(map(smaller, PLANS)) if quick else PLANS, data))
    if not quick:
        save(machine, samples, SAMPLES)
        PAGE.write_text(replaced(PAGE.read_text(), MARKED, text_of(machine, samples)))
    if as_json:
        print(json.dumps({"machine": machine, "samples": [asdict(sample) for sample in samples]}))
    else:
        print(text_of(machine, samples))


def smaller(plan: Plan) -> Plan:
    """Return a plan with little of everything."""
    return replace(
        plan, rounds=1, tasks=1000, timed_tasks=100, sizes=plan.sizes[:1], rates=plan.rates[:1], seconds=0.5,
        backlogs=plan.backlogs[:1],
    )  # fmt: skip


def text_of(machine: Mapping[str, str], samples: Sequence[Sample]) -> str:
    """Return the figures as Markdown: what is beside a limit, and what is not."""
    found = medians(samples)
    limited, others = [each for each in found if each.limit], [each for each in found if not each.limit]
    head = ["question", "load", "median", "lowest to highest"]
    return "\n\n".join(
        [
            ", ".join(f"{name} {value}" for name, value in machine.items()) + ".",
            table([*head, "possible", "ratio"], [[*_cells(e), _possible(e), short(e.ratio or 0)] for e in limited]),
            "And what has no limit to stand beside:",
            table(head, [_cells(each) for each in others]),
        ]
    )


def save(machine: Mapping[str, str], samples: Sequence[Sample], path: Path) -> None:
    """Write all samples, one a line, so that two runs can be compared."""
    lines = ",\n".join(f"  {json.dumps(asdict(sample), separators=(',', ':'))}" for sample in samples)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{{\n "machine": {json.dumps(machine)},\n "samples": [\n{lines}\n ]\n}}\n')


def _interrupt() -> None:
    raise KeyboardInterrupt


def _measured(plans: Sequence[Plan], data: Path | None) -> Iterator[Sample]:
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("starting a swarm", total=sum(plan.samples for plan in plans))
        for plan in plans:
            for sample in measure(plan, _PART_SECONDS, folder=data):
                text = f"{sample.question}, {sample.load}: {short(sample.value)} {sample.unit}"
                progress.update(bar, advance=1, description=text)
                yield sample


def _cells(found: Median) -> list[str]:
    spread = "" if found.lowest == found.highest else f"{short(found.lowest)} to {short(found.highest)}"
    return [found.question, found.load, f"{short(found.median)} {found.unit}", spread]


def _possible(found: Median) -> str:
    return f"{short(found.limit or 0)} ({found.by})"


if __name__ == "__main__":
    main()
