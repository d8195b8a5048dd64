"""Where each microsecond of a task goes: the whole way from `insert_many` to the ack, stage by stage.

    python -m benchmarks.path                    about half a minute
    python -m benchmarks.path --rounds 200
    python -m benchmarks.path --json             for machines

All stages run one after another in one thread, with the code that the client, the bus and the drone use, but without
sockets, disk and changes of thread: what is left is what Python computes. The lowest of many rounds is the figure, for
nothing but another program makes a round slower. Beside it stands what one task costs in bytes and memory, and what it
costs in a real swarm, where the kernel, the disk and the changes of thread come on top.
"""

from __future__ import annotations

import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.facts import tell
from benchmarks.path_stages import Path

TASKS = 2000
"""In a round: what `insert_many` writes at once, and about twice what a drone holds of a quick class."""


def measure(rounds: int, told: Callable[[], None]) -> dict[str, list[float]]:
    """Return the microseconds a task of each stage, round by round."""
    path = Path()
    samples: dict[str, list[float]] = {name: [] for name, _ in path.stages}
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)  # as in a drone's process
    for _ in range(rounds):
        given: Any = range(TASKS)
        for name, stage in path.stages:
            started = time.perf_counter()
            given = stage(given)
            samples[name].append((time.perf_counter() - started) / TASKS * 1e6)
        told()
    return samples


def sizes() -> dict[str, float]:
    """Return the bytes of one task: on the wire, and in a drone while it waits for a worker."""
    path = Path()
    sent = path.send(path.write(path.make(range(TASKS))))
    brought = path.bus(sent)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        path.take(path.read(brought))
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    acks = path.finish(path.perform(None))
    frames = {"SEND": len(sent), "MESSAGE": len(brought), "ACK": len(acks)}
    return {f"{name}, bytes": size / TASKS for name, size in frames.items()} | {
        "memory of a task that waits in a drone, bytes": held / TASKS
    }


@click.command()
@click.option("--rounds", default=100, show_default=True, help="How often each stage is measured.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(rounds: int, as_json: bool) -> None:
    """Measure what each stage of a task's way costs."""
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("measuring", total=rounds)
        samples = measure(rounds, lambda: progress.advance(bar))
    tell(samples, _draw, as_json=as_json, sizes=sizes())


def _draw(facts: dict[str, Any]) -> None:
    console = Console()
    table = Table(title=f"Microseconds a task; {facts['machine']}, Python {facts['python']}")
    for heading in ("stage", "lowest", "median"):
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    total = 0.0
    for name, values in facts["samples"].items():
        total += min(values)
        table.add_row(name, f"{min(values):.2f}", f"{statistics.median(values):.2f}")
    table.add_row("all", f"{total:.2f}", "")
    console.print(table)
    for name, size in facts["sizes"].items():
        console.print(f"{name}: {size:,.0f}")


if __name__ == "__main__":
    main()
