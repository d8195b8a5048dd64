"""Time limits of coroutines, and what is told when one holds up the loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Iterator
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from swarmage.abilities import ability
from swarmage.client.client import Client
from swarmage.drone.coroutines import async_loop, async_slot
from swarmage.drone.coroutines.async_worker import AsyncWorker
from swarmage.drone.worker import Worker
from swarmage.errors import TaskFailed

from ...fakes import SECONDS
from ..conftest import Start

events: SimpleQueue[Any] = SimpleQueue()
gate = threading.Event()
HELD_UP = 0.15


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(async_loop, "HELD_UP", HELD_UP)
    monkeypatch.setattr(async_loop, "LOOK_SECONDS", HELD_UP / 2)
    monkeypatch.setattr(async_slot, "STRIKE_AGAIN", 0.1)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    gate.clear()
    while not events.empty():
        events.get()
    yield
    gate.set()


class Slow(AsyncWorker):
    @ability("slow", timeout=0.05, retries=0)
    async def slow(self, how: str) -> str:
        match how:
            case "group":
                async with asyncio.TaskGroup() as group:
                    group.create_task(asyncio.Event().wait())
            case "local":
                await self.local(Slow.patient)
            case "own":
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.001):
                        await asyncio.Event().wait()
                return "own"
            case "longer":
                async with asyncio.timeout(SECONDS):
                    await asyncio.Event().wait()
            case "swallow":
                for _ in range(2):
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.Event().wait()
                    events.put("struck")
            case "salvage":
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    return "salvaged"
        await asyncio.Event().wait()
        return "never"

    @ability("patient", retries=0)
    async def patient(self) -> str:
        await asyncio.to_thread(gate.wait, SECONDS)
        return "patient"

    @ability("block", retries=0)
    async def block(self, how: str) -> str:
        if how == "child":
            return await asyncio.create_task(self._block())
        if how == "callback":
            ended = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(lambda: (gate.wait(SECONDS), ended.set_result("callback")))
            return str(await ended)
        return await self._block()

    @ability("hang", retries=0)
    async def hang(self) -> str:
        return await self._block()

    async def _block(self) -> str:
        events.put("blocks")
        gate.wait(2 * SECONDS)
        return "unblocked"


@pytest.mark.parametrize("how", ["plain", "group", "longer", "swallow"])
def test_a_coroutine_over_its_timeout_is_a_dead_letter(start: Start, client: Client, how: str) -> None:
    start(Slow)
    with pytest.raises(TaskFailed, match=r"longer than its timeout of 0.05 s") as caught:
        client.insert(Slow.slow, how).result(SECONDS)
    assert caught.value.kind == "TaskTimeout"
    assert "in slow" in caught.value.traceback
    if how == "swallow":
        assert [events.get(timeout=SECONDS) for _ in range(2)] == ["struck"] * 2


def test_a_limit_strikes_while_a_local_task_is_awaited_and_the_tree_ends_with_that(
    start: Start, client: Client
) -> None:
    start(Slow)
    reply = client.insert(Slow.slow, "local")
    gate.set()
    with contextlib.suppress(TaskFailed):  # whichever is first
        assert reply.result(SECONDS) == "never"
    assert client.insert(Slow.patient).result(SECONDS) == "patient"


@pytest.mark.parametrize(("how", "result"), [("own", None), ("salvage", "salvaged")])
def test_a_timeout_of_its_own_is_its_own_affair(start: Start, client: Client, how: str, result: str | None) -> None:
    start(Slow)
    reply = client.insert(Slow.slow, how)
    assert reply.result(SECONDS) == (result or "own")


class Neighbour(Worker):
    @ability("block", retries=0)
    def block(self, how: str) -> str:
        return f"thread {how}"


@pytest.mark.parametrize("how", ["itself", "child", "callback"])
def test_what_holds_up_the_loop_is_told_once(start: Start, client: Client, how: str) -> None:
    told: SimpleQueue[str] = SimpleQueue()

    class Hear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "event loop" in record.getMessage():
                told.put(record.getMessage())

    hear = Hear()
    logging.getLogger("swarmage.drone").addHandler(hear)
    try:
        start(Slow)
        reply = client.insert(Slow.block, how)
        first = told.get(timeout=SECONDS)
        with pytest.raises(Empty):
            told.get(timeout=HELD_UP + 0.1)
        assert client.status(SECONDS)["drones"]  # the drone itself is not held up
        gate.set()
        second = told.get(timeout=SECONDS)
        assert reply.result(SECONDS) in {"unblocked", "callback"}
    finally:
        logging.getLogger("swarmage.drone").removeHandler(hear)
    assert f"by task block {reply.id}" in first
    assert "gate.wait(" in first
    assert "goes on after" in second


def test_a_loop_that_is_held_up_leaves_its_tasks_to_threads(start: Start, client: Client) -> None:
    start(Slow, Neighbour)
    held = client.insert(Slow.hang)
    assert events.get(timeout=SECONDS) == "blocks"
    replies = client.insert_many("block", ["by"] * 10)
    assert [reply.result(SECONDS) for reply in replies] == ["thread by"] * 10
    gate.set()
    assert held.result(SECONDS) == "unblocked"
