"""The three kinds of Worker in one cell, which write down what they have performed; some abilities all three have."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

from ledger import Bookkeeper

from swarmage import AsyncWorker, Worker, ability

POLICY: dict[str, Any] = {"retries": 50, "backoff": 0.01, "longest_backoff": 0.05, "crashes": 50}
"""More than a test kills: what ends in the dead letters is there for a reason of its own."""
SECONDS = 0.04
LEAVES = ("kinds.write", "kinds.in_thread", "kinds.in_process", "kinds.in_coroutine")


class Plain:
    """What Workers in threads and in processes have in common."""

    def note(self, path: str) -> None:
        """Write the task's id, as one line; that of a local task begins with that of its tree."""
        Bookkeeper.line(path, self.task.id)

    def grow(self, path: str, *branches: str) -> int:
        parts = [self.local(name, path) for name in (*LEAVES, *branches)]
        for part in parts:
            part.result()
        self.note(path)
        return len(parts)

    @ability("kinds.write", **POLICY)
    def write(self, path: str) -> None:
        threading.Event().wait(SECONDS)
        self.note(path)

    @ability("kinds.flaky", **POLICY)
    def flaky(self, path: str) -> bool:
        if self.task.attempt == 1:
            raise ConnectionResetError("the first attempt always fails")
        self.note(path)
        return True

    @ability("kinds.talk", **POLICY)
    def talk(self, path: str) -> Iterator[int]:
        yield from range(3)
        self.note(path)


class Threads(Plain, Worker):
    concurrency = 3

    @ability("kinds.in_thread", **POLICY)
    def in_thread(self, path: str) -> None:
        self.write(path)

    @ability("kinds.tree_in_thread", **POLICY)
    def tree(self, path: str) -> int:
        self.insert("kinds.after", path, self.task.id)
        return self.grow(path, "kinds.branch_in_coroutine", "kinds.branch_in_process")

    @ability("kinds.after", **POLICY)
    def after(self, path: str, tree: str) -> None:
        Bookkeeper.line(path, f"{tree}/after")

    @ability("kinds.doomed", retries=1, backoff=0.01, crashes=50)
    def doomed(self) -> None:
        raise ValueError("it always fails")


class Processes(Plain, Worker):
    concurrency = 2
    isolation = "process"

    @ability("kinds.in_process", **POLICY)
    def in_process(self, path: str) -> None:
        self.write(path)

    @ability("kinds.branch_in_process", **POLICY)
    def branch(self, path: str) -> int:
        return self.grow(path)

    @ability("kinds.tree_in_process", **POLICY)
    def tree(self, path: str) -> int:
        self.insert("kinds.after", path, self.task.id)
        return self.grow(path, "kinds.branch_in_coroutine", "kinds.branch_in_process")


class Coroutines(AsyncWorker):
    concurrency = 8

    async def grow(self, path: str, *branches: str) -> int:
        parts = [self.local(name, path) for name in (*LEAVES, *branches)]
        await asyncio.gather(*parts)
        Bookkeeper.line(path, self.task.id)
        return len(parts)

    @ability("kinds.write", **POLICY)
    async def write(self, path: str) -> None:
        over = asyncio.Event()
        asyncio.get_running_loop().call_later(SECONDS, over.set)
        await over.wait()
        Bookkeeper.line(path, self.task.id)

    @ability("kinds.in_coroutine", **POLICY)
    async def in_coroutine(self, path: str) -> None:
        await self.write(path)

    @ability("kinds.flaky", **POLICY)
    async def flaky(self, path: str) -> bool:
        if self.task.attempt == 1:
            raise ConnectionResetError("the first attempt always fails")
        Bookkeeper.line(path, self.task.id)
        return True

    @ability("kinds.talk", **POLICY)
    async def talk(self, path: str) -> AsyncIterator[int]:
        for number in range(3):
            yield number
        Bookkeeper.line(path, self.task.id)

    @ability("kinds.branch_in_coroutine", **POLICY)
    async def branch(self, path: str) -> int:
        return await self.grow(path)

    @ability("kinds.tree_in_coroutine", **POLICY)
    async def tree(self, path: str) -> int:
        self.insert("kinds.after", path, self.task.id)
        return await self.grow(path, "kinds.branch_in_coroutine", "kinds.branch_in_process")
