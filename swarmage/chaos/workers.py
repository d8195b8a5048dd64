"""The three kinds of Worker, and one with keys, that write down what they perform: a TARGET for the drones of chaos."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from functools import cache
from typing import Any

from swarmage.abilities import ability
from swarmage.chaos.kinds import CHAIN, LEAVES, RESPONSES
from swarmage.chaos.ledger import Ledger, own_ledger
from swarmage.drone.coroutines.async_worker import AsyncWorker
from swarmage.drone.worker import Worker
from swarmage.task import Task

POLICY: dict[str, Any] = {"retries": 50, "backoff": 0.05, "longest_backoff": 0.5, "crashes": 50}
"""More than chaos kills: what becomes a dead letter does so for a reason of its own."""


@cache
def ledger() -> Ledger:
    """Return the ledger, open."""
    return own_ledger()


def begun(root: str, task: Task, mark: str, where: str) -> None:
    """Write down that a task has begun; `done` is for when it has ended."""
    ledger().write("begun", root, mark, task.attempt, where)


def done(root: str, task: Task, mark: str, where: str) -> None:
    """Write down that a task has come to its end; what follows is finalizing."""
    ledger().write("done", root, mark, task.attempt, where)


class Blocking:
    """What Workers in threads and in processes have in common."""

    where = ""

    def take_time(self, root: str, seconds: float = 0.0, mark: str = "done") -> None:
        """Begin, wait and end."""
        task: Task = self.task  # type: ignore[attr-defined]
        begun(root, task, mark, self.where)
        if seconds:
            time.sleep(seconds)
        done(root, task, mark, self.where)

    def branch_out(self, root: str, name: str, *branches: str) -> None:
        """Pass on leaves and branches, and end when they have."""
        task: Task = self.task  # type: ignore[attr-defined]
        begun(root, task, name, self.where)
        leaf = "leaf" if name == "tree" else name
        local = self.local  # type: ignore[attr-defined]
        parts = [local("chaos.leaf", root, f"{leaf}-{number}") for number in range(LEAVES)]
        parts += [local(branch, root) for branch in branches]
        for part in parts:
            part.result()
        done(root, task, name, self.where)

    @ability("chaos.write", **POLICY)
    def write(self, root: str, seconds: float, padding: str) -> str:
        """Take its time, wherever."""
        self.take_time(root, seconds)
        return root

    @ability("chaos.leaf", **POLICY)
    def leaf(self, root: str, mark: str) -> None:
        """Be one of the leaves of a tree."""
        self.take_time(root, 0.0, mark)


class Threads(Blocking, Worker):
    """Performs in threads."""

    concurrency = 4
    where = "thread"

    @ability("chaos.in_thread", **POLICY)
    def in_thread(self, root: str, seconds: float, padding: str) -> str:
        """Take its time, in a thread."""
        self.take_time(root, seconds)
        return root

    @ability("chaos.tree_in_thread", **POLICY)
    def tree(self, root: str, seconds: float, padding: str) -> str:
        """Grow a tree through all three kinds, and insert a task that comes after it."""
        self.insert("chaos.after", root)
        self.branch_out(root, "tree", "chaos.branch_in_coroutine")
        return root

    @ability("chaos.after", **POLICY)
    def after(self, root: str) -> None:
        """Perform what a tree has inserted."""
        self.take_time(root, 0.0, "after")

    @ability("chaos.chain", **POLICY)
    def chain(self, root: str, seconds: float, padding: str, step: int = 0) -> str:
        """Perform one step, and insert the next."""
        begun(root, self.task, f"step-{step}", self.where)
        if step + 1 < CHAIN:
            self.insert("chaos.chain", root, seconds, padding, step + 1)
        done(root, self.task, f"step-{step}", self.where)
        return root

    @ability("chaos.doomed", **{**POLICY, "retries": 1})
    def doomed(self, root: str, seconds: float, padding: str) -> None:
        """Fail always."""
        begun(root, self.task, "done", self.where)
        raise ValueError("it always fails")

    @ability("chaos.flaky", **POLICY)
    def flaky(self, root: str, seconds: float, padding: str) -> str:
        """Fail the first time."""
        begun(root, self.task, "done", self.where)
        if self.task.attempt == 1:
            raise ConnectionResetError("the first attempt always fails")
        done(root, self.task, "done", self.where)
        return root


class Processes(Blocking, Worker):
    """Performs in processes of their own."""

    concurrency = 2
    isolation = "process"
    where = "process"

    @ability("chaos.in_process", **POLICY)
    def in_process(self, root: str, seconds: float, padding: str) -> str:
        """Take its time, in a process."""
        self.take_time(root, seconds)
        return root

    @ability("chaos.tree_in_process", **POLICY)
    def tree(self, root: str, seconds: float, padding: str) -> str:
        """Grow a tree through all three kinds, and insert a task that comes after it."""
        self.insert("chaos.after", root)
        self.branch_out(root, "tree", "chaos.branch_in_coroutine")
        return root

    @ability("chaos.branch_in_process", **POLICY)
    def branch(self, root: str) -> None:
        """Grow a branch."""
        self.branch_out(root, "branch")

    @ability("chaos.talk", **POLICY)
    def talk(self, root: str, seconds: float, padding: str) -> Iterator[int]:
        """Respond several times."""
        begun(root, self.task, "done", self.where)
        yield from range(RESPONSES)
        done(root, self.task, "done", self.where)


class Coroutines(AsyncWorker):
    """Performs as coroutines."""

    concurrency = 16
    where = "coroutine"

    async def take_time(self, root: str, seconds: float = 0.0, mark: str = "done") -> None:
        """Begin, wait and end."""
        task = self.task
        begun(root, task, mark, self.where)
        await asyncio.sleep(seconds)
        done(root, task, mark, self.where)

    async def branch_out(self, root: str, name: str, *branches: str) -> None:
        """Pass on leaves and branches, and end when they have."""
        task = self.task
        begun(root, task, name, self.where)
        leaf = "leaf" if name == "tree" else name
        parts = [self.local("chaos.leaf", root, f"{leaf}-{number}") for number in range(LEAVES)]
        parts += [self.local(branch, root) for branch in branches]
        await asyncio.gather(*parts)
        done(root, task, name, self.where)

    @ability("chaos.write", **POLICY)
    async def write(self, root: str, seconds: float, padding: str) -> str:
        """Take its time."""
        await self.take_time(root, seconds)
        return root

    @ability("chaos.leaf", **POLICY)
    async def leaf(self, root: str, mark: str) -> None:
        """Be one of the leaves of a tree."""
        await self.take_time(root, 0.0, mark)

    @ability("chaos.in_coroutine", **POLICY)
    async def in_coroutine(self, root: str, seconds: float, padding: str) -> str:
        """Take its time, as a coroutine."""
        await self.take_time(root, seconds)
        return root

    @ability("chaos.branch_in_coroutine", **POLICY)
    async def branch(self, root: str) -> None:
        """Grow a branch."""
        await self.branch_out(root, "branch")

    @ability("chaos.tree_in_coroutine", **POLICY)
    async def tree(self, root: str, seconds: float, padding: str) -> str:
        """Grow a tree through all three kinds, and insert a task that comes after it."""
        self.insert("chaos.after", root)
        await self.branch_out(root, "tree", "chaos.branch_in_process")
        return root

    @ability("chaos.talk", **POLICY)
    async def talk(self, root: str, seconds: float, padding: str) -> AsyncIterator[int]:
        """Respond several times."""
        task = self.task
        begun(root, task, "done", self.where)
        for number in range(RESPONSES):
            yield number
        done(root, task, "done", self.where)
