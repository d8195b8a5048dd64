"""Local tasks of coroutines, alone and together with workers in threads."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import pytest

from swarmage.abilities import ability
from swarmage.client.client import Client
from swarmage.drone.coroutines import async_lending
from swarmage.drone.coroutines.async_worker import AsyncWorker
from swarmage.drone.worker import Worker
from swarmage.errors import DeadlineExceeded, SwarmageError, TaskFailed

from ...fakes import SECONDS
from ..conftest import Start

LONG = 30.0
events: SimpleQueue[Any] = SimpleQueue()
gate = threading.Event()


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    gate.clear()
    while not events.empty():
        events.get()
    yield
    gate.set()


class Tree(AsyncWorker):
    concurrency = 1
    most = 0

    @ability("sum", retries=0)
    async def sum(self, numbers: list[int]) -> int:
        return sum(await asyncio.gather(*[self.local(Tree.double, number) for number in numbers]))

    @ability("double", retries=0)
    async def double(self, number: int) -> int:
        if number < 0:
            raise ValueError("negative")
        return 2 * number

    @ability("depth", retries=0)
    async def depth(self, levels: int) -> int:
        return 1 + await self.local(Tree.depth, levels - 1) if levels else 0

    @ability("fan", retries=0)
    async def fan(self, levels: int, width: int) -> int:
        self.most = max(self.most, len(self.current_runs))
        if not levels:
            return 1
        async with asyncio.TaskGroup() as group:
            parts = [group.create_task(self.local(Tree.fan, levels - 1, width).wait(SECONDS * 4)) for _ in range(width)]
        return sum(part.result() for part in parts)

    @ability("most", retries=0)
    async def most_at_once(self) -> int:
        return self.most

    @ability("endless", retries=0)
    async def endless(self) -> None:
        await self.local(Tree.endless)

    @ability("wrong", retries=0)
    async def wrong(self) -> int:
        handle = self.local(Tree.double, 4)
        with pytest.raises(SwarmageError, match="await the handle"):
            handle.result(1)
        result: int = await handle
        assert handle.result(1) == result
        return result

    @ability("late", retries=0)
    async def late(self) -> str:
        with pytest.raises(DeadlineExceeded, match=r"held has not ended in 0.0 s"):
            await self.local("held").wait(0.01)
        gate.set()
        return "late"

    @ability("from.thread", retries=0)
    async def from_thread(self) -> int:
        return int(await asyncio.to_thread(self.local(Tree.double, 4).result, SECONDS))

    @ability("twice", retries=0)
    async def twice(self) -> list[int]:
        handle = self.local(Tree.double, 4)
        return [*await asyncio.gather(handle, handle.wait(), handle.wait(SECONDS)), await handle]

    @ability("abandon", retries=0)
    async def abandon(self) -> str:
        handle = self.local("held")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                await handle
        gate.set()
        return str(await handle)

    @ability("mixed", retries=0)
    async def mixed(self, levels: int) -> int:
        return 1 + await self.local(Threads.blend, levels - 1) if levels else 0


class Threads(Worker):
    concurrency = 2

    @ability("blend", retries=0)
    def blend(self, levels: int) -> int:
        return 1 + self.local(Tree.mixed, levels - 1).result(SECONDS) if levels else 0

    @ability("held", retries=0)
    def held(self) -> str:
        gate.wait(SECONDS)
        return "held"

    @ability("await", retries=0)
    def await_it(self) -> None:
        asyncio.run(self.local(Tree.double, 4).wait())


def test_local_tasks_are_awaited_together(start: Start, client: Client) -> None:
    start(Tree)
    assert client.insert(Tree.sum, list(range(1000))).result(LONG) == 999_000
    assert client.insert(Tree.twice).result(SECONDS) == [8] * 4


def test_a_local_task_that_fails_fails_the_task_it_came_of(start: Start, client: Client) -> None:
    start(Tree)
    with pytest.raises(TaskFailed, match="negative"):
        client.insert(Tree.sum, [1, -1, 2]).result(SECONDS)
    assert client.insert(Tree.sum, [1, 2]).result(SECONDS) == 6


def test_a_recursion_of_fifty_needs_one_slot(start: Start, client: Client) -> None:
    start(Tree)
    assert client.insert(Tree.depth, 50).result(LONG) == 50


def test_a_tree_is_performed_in_depth_so_that_few_of_its_tasks_are_begun(start: Start, client: Client) -> None:
    start(Tree)
    replies = client.insert_many(Tree.fan, [(4, 5), (4, 5)])
    assert [reply.result(LONG) for reply in replies] == [625, 625]
    assert client.insert(Tree.most_at_once).result(SECONDS) <= 20


def test_many_trees_at_once_end_with_a_few_slots(start: Start, client: Client) -> None:
    start(Tree, concurrency={"Tree": 4})
    replies = client.insert_many(Tree.depth, [20] * 100)
    assert [reply.result(LONG) for reply in replies] == [20] * 100


def test_a_recursion_without_an_end_fails(start: Start, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(async_lending, "MOST_LENT", 200)
    start(Tree)
    with pytest.raises(TaskFailed, match="recursion without an end"):
        client.insert(Tree.endless).result(LONG)
    assert client.insert(Tree.depth, 5).result(SECONDS) == 5


def test_waiting_in_the_wrong_way_is_told_and_does_not_block(start: Start, client: Client) -> None:
    start(Tree, Threads)
    assert client.insert(Tree.wrong).result(SECONDS) == 8
    with pytest.raises(TaskFailed, match=r"Threads is no AsyncWorker: wait for double with result\(\)"):
        client.insert(Threads.await_it).result(SECONDS)


def test_a_thread_that_a_coroutine_started_may_wait(start: Start, client: Client) -> None:
    start(Tree)
    assert client.insert(Tree.from_thread).result(SECONDS) == 8


def test_a_wait_has_a_deadline(start: Start, client: Client) -> None:
    start(Tree, Threads)
    assert client.insert(Tree.late).result(SECONDS) == "late"


def test_a_wait_may_be_given_up_and_begun_again(start: Start, client: Client) -> None:
    start(Tree, Threads)
    assert client.insert(Tree.abandon).result(SECONDS) == "held"


@pytest.mark.parametrize("first", ["mixed", "blend"])
def test_coroutines_and_threads_wait_for_one_another(start: Start, client: Client, first: str) -> None:
    start(Tree, Threads)
    replies = client.insert_many(first, [11] * 20)
    assert [reply.result(LONG) for reply in replies] == [11] * 20


def test_an_ability_may_be_performed_by_threads_and_coroutines_of_one_drone(start: Start, client: Client) -> None:
    here = {"thread": threading.Semaphore(0), "loop": threading.Semaphore(0)}

    class Loop(AsyncWorker):
        concurrency = 1

        @ability("both", retries=0)
        async def both(self) -> str:
            here["loop"].release()
            await asyncio.to_thread(gate.wait, SECONDS)
            return "loop"

    class Thread(Worker):
        @ability("both", retries=0)
        def both(self) -> str:
            here["thread"].release()
            gate.wait(SECONDS)
            return "thread"

    start(Loop, Thread)
    replies = client.insert_many("both", [()] * 2)
    for one in here.values():
        assert one.acquire(timeout=SECONDS)
    gate.set()
    assert sorted(reply.result(SECONDS) for reply in replies) == ["loop", "thread"]
    more = client.insert_many("both", [()] * 200)
    assert {reply.result(LONG) for reply in more} <= {"loop", "thread"}
