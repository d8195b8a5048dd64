"""The Workers of `benchmarks.cell`: the same abilities in threads, in coroutines and in processes."""

from __future__ import annotations

import asyncio
import os

from swarmage import AsyncWorker, Worker, ability


class Threads(Worker):
    """Performs in threads."""

    concurrency = 8

    @ability("bench.noop")
    def noop(self, number: int) -> None:
        return None

    @ability("bench.fan")
    def fan(self, leaves: int) -> None:
        for handle in [self.local("bench.noop", number) for number in range(leaves)]:
            handle.result()


class Coroutines(AsyncWorker):
    """Performs on an event loop."""

    concurrency = 1000

    @ability("bench.noop")
    async def noop(self, number: int) -> None:
        return None

    @ability("bench.sleep")
    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    @ability("bench.fan")
    async def fan(self, leaves: int) -> None:
        await asyncio.gather(*[self.local("bench.noop", number) for number in range(leaves)])


class Processes(Worker):
    """Performs in processes of its own."""

    isolation = "process"

    @ability("bench.noop")
    def noop(self, number: int) -> None:
        return None

    @ability("bench.die", retries=0)
    def die(self, number: int) -> None:
        os._exit(1)
