"""The Workers of the soak: threads, processes and coroutines, a task that fails at first, and a local tree."""

from __future__ import annotations

import asyncio
from functools import cache

from benchmarks.soak.heard import Teller
from swarmage import AsyncWorker, Worker, ability

LEAVES = 4
"""Local tasks of a tree."""
PAUSE_SECONDS = 0.005
"""How long a coroutine waits."""


@cache
def teller() -> Teller:
    """Return the one of this process."""
    return Teller()


class Threads(Worker):
    """Performs in threads."""

    concurrency = 8

    @ability("soak.plain")
    def plain(self, number: int, inserted: float, padding: str) -> int:
        """Begin, and be done."""
        teller().begun(number, inserted)
        teller().done(number)
        return number

    @ability("soak.flaky", retries=3, backoff=0.1)
    def flaky(self, number: int, inserted: float, padding: str) -> int:
        """Fail the first time."""
        if self.task.attempt == 1:
            teller().begun(number, inserted)
            raise ConnectionResetError("the first attempt always fails")
        teller().done(number)
        return number

    @ability("soak.tree")
    def tree(self, number: int, inserted: float, padding: str) -> int:
        """Pass on leaves to coroutines, and be done when they are."""
        teller().begun(number, inserted)
        for leaf in [self.local("soak.leaf", number) for _ in range(LEAVES)]:
            leaf.result()
        teller().done(number)
        return number


class Processes(Worker):
    """Performs in processes of their own."""

    concurrency = 2
    isolation = "process"

    @ability("soak.in_process")
    def in_process(self, number: int, inserted: float, padding: str) -> int:
        """Begin, and be done."""
        teller().begun(number, inserted)
        teller().done(number)
        return number


class Coroutines(AsyncWorker):
    """Performs as coroutines."""

    concurrency = 32

    @ability("soak.in_coroutine")
    async def in_coroutine(self, number: int, inserted: float, padding: str) -> int:
        """Begin, wait, and be done."""
        teller().begun(number, inserted)
        await asyncio.sleep(PAUSE_SECONDS)
        teller().done(number)
        return number

    @ability("soak.leaf")
    async def leaf(self, number: int) -> None:
        """Be one leaf of a tree."""
