"""The Workers that the load tests perform tasks with."""

from __future__ import annotations

from swarmage import Worker, ability


class NoOp(Worker):
    """Does nothing, so that what is measured is everything else."""

    concurrency = 8

    @ability("bench.noop")
    def noop(self, number: int) -> None:
        return None
