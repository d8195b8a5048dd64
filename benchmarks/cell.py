"""What one cell does, without a bus: tasks a second through the Local Queue, sleeping coroutines, trees, processes.

    python -m benchmarks.cell                    medians of five, about three minutes
    python -m benchmarks.cell --runs 1
    python -m benchmarks.cell --json             for machines

The Local Queue, its workers and the hand-over of what they finished are the real ones; what the drone would say to the
bus is left out.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks import cell_workers as workers
from benchmarks.facts import tell
from benchmarks.small_cell import SmallCell
from swarmage import Worker

IDEAL_SECONDS = 5.0
"""How long each sleeping coroutine sleeps: long against the time it takes to begin ten thousand of them."""


def noop(worker_class: type[Worker], concurrency: int, tasks: int) -> float:
    """Return how many no-op tasks a second go through the Local Queue, fed in bursts as a socket read brings them."""
    with SmallCell([worker_class], {worker_class.__name__: concurrency}) as cell:
        cell.perform("bench.noop", tasks // 10)  # until all workers have begun
        return tasks / cell.perform("bench.noop", tasks)


def sleeping(slots: int) -> float:
    """Return the rate of three rounds of sleeping coroutines, as a share of what that many slots could do at best."""
    with SmallCell([workers.Coroutines], {"Coroutines": slots}) as cell:
        seconds = cell.perform("bench.sleep", slots * 3, args=(IDEAL_SECONDS,), burst=1000, ahead=slots)
        return 3 * IDEAL_SECONDS / seconds


def slot_bytes(slots: int) -> float:
    """Return the bytes of memory that one sleeping coroutine takes, in a process that has no memory left over."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as fresh:
        return fresh.submit(_slot_bytes, slots).result(IDEAL_SECONDS + 60)


def _slot_bytes(slots: int) -> float:
    with SmallCell([workers.Coroutines], {"Coroutines": slots}) as cell:
        before = _memory(os.getpid())
        cell.begin("bench.sleep", slots, args=(IDEAL_SECONDS,))
        cell.wait_until_begun(slots)
        taken = _memory(os.getpid()) - before
        cell.wait_until_done()
        return taken / slots


def fan_out(worker_class: type[Worker], leaves: int, trees: int) -> float:
    """Return how many local tasks a second trees with so many leaves are done in."""
    with SmallCell([worker_class], {}) as cell:
        return leaves * trees / cell.perform("bench.fan", trees, args=(leaves,))


def respawn_ms(times: int) -> float:
    """Return the milliseconds from the death of a worker's process to the next task performed, at the median."""
    with SmallCell([workers.Processes], {"Processes": 1}) as cell:
        cell.perform("bench.noop", 10)
        return statistics.median(cell.perform("bench.die", 1) * 1000 for _ in range(times))


def idle_drone_mib() -> float:
    """Return the memory of a drone process with 8 thread workers that waits for its first task."""
    program = (
        "import os, sys\n"
        "from benchmarks.cell_workers import Threads\n"
        "from swarmage.testing.swarm import Swarm\n"
        "swarm = Swarm(Threads)\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        taken = _memory(process.pid)
        assert process.stdin is not None
        process.stdin.close()
    return taken / 2**20


def _memory(pid: int) -> int:
    """Return the bytes of a process that are in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


Question = tuple[Callable[[], float], str, float | None, str]
"""What answers it, its unit, the aim, and whether more or less is better."""

QUESTIONS: dict[str, Question] = {
    "no-op, 1 thread": (lambda: noop(workers.Threads, 1, 50_000), "tasks/s", None, "more"),
    "no-op, 8 threads": (lambda: noop(workers.Threads, 8, 50_000), "tasks/s", 150_000, "more"),
    "no-op, 64 threads": (lambda: noop(workers.Threads, 64, 50_000), "tasks/s", None, "more"),
    "no-op, coroutines": (lambda: noop(workers.Coroutines, 1000, 50_000), "tasks/s", 100_000, "more"),
    "no-op, 1 process": (lambda: noop(workers.Processes, 1, 5_000), "tasks/s", None, "more"),
    "no-op, 2 processes": (lambda: noop(workers.Processes, 2, 5_000), "tasks/s", None, "more"),
    "10,000 sleeping coroutines": (lambda: sleeping(10_000), "of the ideal", 0.9, "more"),
    "a slot with a sleeping coroutine": (lambda: slot_bytes(10_000), "bytes", None, "less"),
    "trees of 1,000 local tasks, 8 threads": (lambda: fan_out(workers.Threads, 1_000, 20), "tasks/s", None, "more"),
    "trees of 1,000 local tasks, coroutines": (lambda: fan_out(workers.Coroutines, 1_000, 20), "tasks/s", None, "more"),
    "a killed process is replaced": (lambda: respawn_ms(20), "ms", 10, "less"),
    "an idle drone": (idle_drone_mib, "MiB", 40, "less"),
}


@click.command()
@click.option("--runs", default=5, show_default=True, help="How often each question is asked, in turns.")
@click.option("--only", default="", metavar="WORDS", help="Ask only questions with these words.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(runs: int, only: str, as_json: bool) -> None:
    """Measure what one cell of swarmage does, without a bus."""
    asked = {name: question for name, question in QUESTIONS.items() if only in name}
    samples: dict[str, list[float]] = {name: [] for name in asked}
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("measuring", total=runs * len(asked))
        for _ in range(runs):
            for name, (answer, *_rest) in asked.items():
                progress.update(bar, description=name)
                samples[name].append(answer())
                progress.advance(bar)
    tell(samples, _draw, as_json=as_json)


def _draw(facts: dict[str, Any]) -> None:
    table = Table(title=f"One cell; {facts['machine']}, Python {facts['python']}")
    for heading in ("question", "median", "lowest", "highest", "unit", "aim"):
        table.add_column(heading, justify="left" if heading in {"question", "unit"} else "right")
    for name, values in facts["samples"].items():
        _, unit, aim, better = QUESTIONS[name]
        median = statistics.median(values)
        reached = aim is None or (median >= aim if better == "more" else median <= aim)
        wanted = "" if aim is None else f"{aim:,g}{'' if reached else ' missed'}"
        shown = (f"{value:,.2f}" if value < 100 else f"{value:,.0f}" for value in (median, min(values), max(values)))
        table.add_row(name, *shown, unit, wanted)
    Console(width=110).print(table)


if __name__ == "__main__":
    started = time.perf_counter()
    main(standalone_mode=False)
    Console(stderr=True).print(f"{time.perf_counter() - started:.0f} s")
