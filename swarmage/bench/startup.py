"""How long until something runs: the import, the bus, and a drone's first task."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

from swarmage.bench.latency import BEGIN
from swarmage.bench.place import Place
from swarmage.bench.samples import Sample

_SECONDS = 60.0
PYTHON = "an empty Python"


def imports() -> Iterator[Sample]:
    """Start Python with and without swarmage."""
    empty = _run("pass")
    for what in ("import swarmage", "from swarmage import Client", "from swarmage import Worker"):
        yield Sample(question=what, load="start-up", unit="ms", value=_run(what) * 1e3, limit=empty * 1e3, by=PYTHON)


def _run(program: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, timeout=_SECONDS, capture_output=True)  # noqa: S603 - the command is this interpreter
    return time.perf_counter() - started


def first_result(place: Place) -> tuple[subprocess.Popen[bytes], Sample]:
    """Start a drone for a task that waits; return its process, and how long it took until the result was back."""
    reply = place.client.insert(BEGIN)
    started = time.perf_counter()
    process = place.swarm.start_drone()
    try:
        reply.result(timeout=min(_SECONDS, max(0.001, place.seconds_left)))
        value = (time.perf_counter() - started) * 1e3
        place.swarm.wait_for_drones(place.client, 1)
    except BaseException:  # raised again: nobody has been given the process yet
        place.swarm.stop(process)
        raise
    return process, Sample(question="drone, until its first result", load="start-up", unit="ms", value=value)
