"""How a program answers: one JSON object a line, for each order that comes as one.

The first line says who it is: ``{"versions": {…}, "ways": […]}``. Then come orders:

    {"order": "insert", "way": "in bulk, confirmed", "tasks": 5000}     {"seconds": 0.21}
    {"order": "drain", "tasks": 5000}                                   {"seconds": 0.17, "tasks": 5000}
    {"order": "latency", "rate": 100, "tasks": 300}                     {"begun_us": [912, …]}

``drain`` starts what performs; ``latency`` uses what runs then. The answer to an order that failed is
``{"error": "…"}``. When the orders end, the program ends what it has started.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.compare.programs.counting import FOLDER, counted, noted

BULK = "in bulk, confirmed"
ONE = "one by one, confirmed"
LOOSE = "one by one, unconfirmed"

URL = os.environ.get("BENCH_URL", "")
QUEUE = os.environ.get("BENCH_QUEUE", "bench")
THREADS = int(os.environ.get("BENCH_THREADS", "8"))
PROCESSES = int(os.environ.get("BENCH_PROCESSES", "1"))

_STOP_SECONDS = 20.0
_ORDER_SECONDS = 90.0
_LOOK_SECONDS = 0.01

Insert = Callable[[int], None]


class Program:
    """A peer that takes orders.

    Args:
        packages: whose versions it tells.
        ways: how tasks are inserted, by name; each inserts so many.
        begin: inserts the task that notes when it begins; its argument is when it was due.
        command: what performs the tasks.
    """

    def __init__(
        self, *, packages: Sequence[str], ways: Mapping[str, Insert], begin: Callable[[float], Any],
        command: Sequence[str],
    ) -> None:  # fmt: skip
        self._packages = packages
        self._ways = ways
        self._begin = begin
        self._command = command
        self._folder = Path()
        self._counts = Path()
        self._performing: subprocess.Popen[bytes] | None = None

    def serve(self) -> None:
        """Take orders until there are no more."""
        with tempfile.TemporaryDirectory(prefix="swarmage-compare-") as folder:
            self._folder = Path(folder)
            try:
                _say({"versions": {name: version(name) for name in self._packages}, "ways": list(self._ways)})
                for line in sys.stdin:
                    _say(self._answer(json.loads(line)))
            finally:
                self._stop()

    def _answer(self, order: dict[str, Any]) -> dict[str, Any]:
        try:
            match order["order"]:
                case "insert":
                    return self._insert(order["way"], order["tasks"])
                case "drain":
                    return self._drain(order["tasks"])
                case "latency":
                    return self._latency(order["rate"], order["tasks"])
                case unknown:
                    return {"error": f"there is no order {unknown!r}"}
        except Exception as error:  # noqa: BLE001 - whatever a peer raises is its answer
            return {"error": f"{type(error).__name__}: {error}"}

    def _insert(self, way: str, tasks: int) -> dict[str, Any]:
        started = time.perf_counter()
        self._ways[way](tasks)
        return {"seconds": time.perf_counter() - started}

    def _drain(self, tasks: int) -> dict[str, Any]:
        """Have all tasks performed; count from the first one on, so that no peer's start is in it."""
        self._stop()
        self._counts = Path(tempfile.mkdtemp(dir=self._folder))
        with (self._folder / "said").open("wb") as said:
            self._performing = subprocess.Popen(
                self._command,
                env={**os.environ, FOLDER: str(self._counts)},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        self._wait(lambda: counted(self._counts).tasks >= tasks, f"{tasks} tasks are not performed")
        found = counted(self._counts)
        return {"seconds": found.last - found.first, "tasks": found.tasks}

    def _latency(self, rate: int, tasks: int) -> dict[str, Any]:
        """Insert at a steady rate; each task counts from when it should have been inserted."""
        before = len(noted(self._counts))
        started = time.monotonic() + 0.1
        for number in range(tasks):
            due = started + number / rate
            wait = due - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            self._begin(due)
        self._wait(lambda: len(noted(self._counts)) >= before + tasks, f"{tasks} tasks have not begun")
        return {"begun_us": noted(self._counts)[before:]}

    def _wait(self, reached: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + _ORDER_SECONDS
        while not reached():
            if self._performing is None or self._performing.poll() is not None:
                raise RuntimeError(f"what performs has ended; it said:\n{self._said()}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{otherwise} after {_ORDER_SECONDS:.0f} s; it said:\n{self._said()}")
            time.sleep(_LOOK_SECONDS)

    def _said(self) -> str:
        return (self._folder / "said").read_text(errors="replace")[-2000:]

    def _stop(self) -> None:
        if self._performing is None or self._performing.poll() is not None:
            return
        self._performing.terminate()
        try:
            self._performing.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._performing.kill()
            self._performing.wait(_STOP_SECONDS)


def _say(answer: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def each(insert: Callable[[int], Any]) -> Insert:
    """Return the way that calls ``insert`` for each task."""

    def way(tasks: int) -> None:
        for number in range(tasks):
            insert(number)

    return way
