"""The Workers that load tests perform tasks with."""

from __future__ import annotations

import os
import time

from swarmage.abilities import ability
from swarmage.clock import SYSTEM_CLOCK
from swarmage.drone.worker import Worker

THREADS = 8
SLEEP_SECONDS = 0.01
BUSY_SECONDS = 0.001
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Threads(Worker):
    """Does next to nothing, so that what is measured is everything else."""

    concurrency = THREADS

    @ability("bench.noop")
    def noop(self, body: str) -> None:
        """Do nothing."""

    @ability("bench.begin")
    def begin(self) -> float:
        """Return when it began, by the clock that all processes of a machine share."""
        return SYSTEM_CLOCK.monotonic()

    @ability("bench.sleep")
    def sleep(self, number: int) -> None:
        """Wait, as for another machine."""
        time.sleep(SLEEP_SECONDS)


class Processes(Worker):
    """Computes, in as many processes as there are cores."""

    isolation = "process"
    concurrency = CORES

    @ability("bench.busy")
    def busy(self, number: int) -> None:
        """Take the processor for a while, whoever else wants it."""
        end = time.thread_time() + BUSY_SECONDS
        while time.thread_time() < end:
            pass
