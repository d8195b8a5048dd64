"""How coroutines end: retries, what they say themselves, local tasks that may fail, limits, and suspects."""

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
from swarmage.client.dead_letters import DeadLetters
from swarmage.drone.coroutines.async_slot import Slot
from swarmage.drone.coroutines.async_worker import AsyncWorker
from swarmage.drone.limit import CANCEL_AGAIN
from swarmage.drone.worker import Worker
from swarmage.errors import Discard, Reject, Retry, TaskFailed, TaskTimeout
from swarmage.task import Task

from ...conftest import EmbeddedBus
from ...fakes import SECONDS
from ..conftest import Start

events: SimpleQueue[Any] = SimpleQueue()
gate = threading.Event()


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    gate.clear()
    while not events.empty():
        events.get()
    yield
    gate.set()


class Fickle(AsyncWorker):
    @ability("end", retries=3, backoff=0.0, retry_on=(OSError,), give_up_on=(FileNotFoundError,))
    async def end(self, how: str) -> int:
        if how == "retry" and self.task.attempt == 1:
            raise Retry(delay=0.0)
        if how == "discard":
            raise Discard("of no use")
        if how == "reject":
            raise Reject("it is green")
        if how == "os" and self.task.attempt < 3:
            raise ConnectionResetError("gone")
        if how == "file":
            raise FileNotFoundError("nowhere")
        if how == "value":
            raise ValueError("odd")
        return self.task.attempt

    @ability("parts", retries=0)
    async def parts(self) -> Any:
        yield "one"
        raise Reject("no more")

    @ability("parent", retries=0)
    async def parent(self, let_through: bool) -> str:
        tried = self.try_local(Fickle.end, "reject")
        try:
            await tried
        except TaskFailed as error:
            if let_through:
                raise
            return f"{error.kind}: {error.message}"
        return "never"


@pytest.mark.parametrize(("how", "attempt"), [("retry", 2), ("os", 3), ("plain", 1)])
def test_a_coroutine_is_tried_again_as_its_policy_and_its_errors_say(
    start: Start, client: Client, how: str, attempt: int
) -> None:
    start(Fickle)
    assert client.insert(Fickle.end, how).result(SECONDS) == attempt


@pytest.mark.parametrize(
    ("how", "reason"), [("discard", None), ("reject", "it is green"), ("file", "failed"), ("value", "failed")]
)
def test_a_coroutine_that_gives_up_is_not_tried_again(
    start: Start, client: Client, how: str, reason: str | None
) -> None:
    start(Fickle)
    with pytest.raises(TaskFailed):
        client.insert(Fickle.end, how).result(SECONDS)
    assert [(letter.reason, letter.attempts) for letter in DeadLetters(client).all()] == (
        [(reason, 1)] if reason else []
    )


def test_an_async_generator_may_end_as_it_says(start: Start, client: Client) -> None:
    start(Fickle)
    with pytest.raises(TaskFailed, match="no more"):
        client.insert(Fickle.parts).result(SECONDS)
    assert [letter.reason for letter in DeadLetters(client).all()] == ["no more"]


def test_a_coroutine_may_go_on_when_a_local_task_that_it_tried_has_failed(start: Start, client: Client) -> None:
    start(Fickle)
    assert client.insert(Fickle.parent, False).result(SECONDS) == "Reject: it is green"
    with pytest.raises(TaskFailed, match="it is green"):
        client.insert(Fickle.parent, True).result(SECONDS)
    assert [letter.reason for letter in DeadLetters(client).all()] == ["it is green"]


class Limited(AsyncWorker):
    @ability("late", timeout=5 * SECONDS, retries=0)
    async def late(self) -> None:
        events.put("late")
        await asyncio.Event().wait()

    @ability("asks", timeout=0.05, retries=0)
    async def asks(self) -> None:
        end = asyncio.get_running_loop().time() + SECONDS
        while asyncio.get_running_loop().time() < end:  # and never awaits
            try:
                self.checkpoint()
            except TaskTimeout:
                self.checkpoint()  # it has a second to clean up in
                raise

    @ability("hard", hard_timeout=0.1, retries=0)
    async def hard(self, how: str) -> str:
        events.put("hard")
        if how == "blocks":
            gate.wait(SECONDS)
        while True:
            with contextlib.suppress(asyncio.CancelledError if how == "swallows" else ZeroDivisionError):
                await asyncio.to_thread(gate.wait, SECONDS)
                return "gate"

    @ability("patient", retries=0)
    async def patient(self) -> str:
        events.put("patient")
        await asyncio.to_thread(gate.wait, SECONDS)
        return "patient"


def test_a_coroutine_has_until_its_deadline_if_that_is_before_its_timeout(start: Start, client: Client) -> None:
    start(Limited)
    soon = client.insert_task(Task(task_class="late", deadline=client.clock.wall() + 1.0))
    with pytest.raises(TaskFailed, match="its deadline passed while it was performed"):
        soon.result(SECONDS)
    assert events.get(timeout=SECONDS) == "late"


def test_a_coroutine_that_asks_is_told_that_its_time_is_over(start: Start, client: Client) -> None:
    start(Limited)
    with pytest.raises(TaskFailed, match=r"longer than its timeout of 0\.05 s") as caught:
        client.insert(Limited.asks).result(SECONDS)
    assert "in asks" in caught.value.traceback


def test_a_hard_limit_alone_cancels_a_coroutine_that_lets_it(start: Start, client: Client) -> None:
    told: SimpleQueue[str] = SimpleQueue()
    ref = start(Limited, overrun=told.put)
    with pytest.raises(TaskFailed, match=r"longer than its hard_timeout of 0\.1 s"):
        client.insert(Limited.hard, "plain").result(SECONDS)
    gate.set()
    assert client.insert(Limited.patient).result(SECONDS) == "patient"
    assert ref.is_alive()
    assert told.empty()


@pytest.mark.parametrize("how", ["swallows", "blocks"])
def test_a_drone_leaves_with_a_coroutine_that_is_over_its_hard_limit(
    start: Start, client: Client, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr("swarmage.drone.drone.OVERRUN_GRACE", 0.2)
    monkeypatch.setattr("swarmage.drone.coroutines.async_execution.STRIKE_AGAIN", 0.2)
    told: SimpleQueue[str] = SimpleQueue()
    ref = start(Limited, overrun=told.put)
    other = client.insert(Limited.patient)
    assert events.get(timeout=SECONDS) == "patient"
    hard = client.insert(Limited.hard, how)
    assert told.get(timeout=SECONDS) == f"hard {hard.id}"
    with pytest.raises(TaskFailed, match=r"hard_timeout of 0\.1 s"):
        hard.result(SECONDS)
    gate.set()
    assert ref.actor_stopped.wait(SECONDS)
    assert [(letter.id, letter.reason) for letter in DeadLetters(client).all()] == [(hard.id, "failed")]
    start(Limited)
    assert other.result(SECONDS) == "patient"  # it was given back


class Alone(AsyncWorker):
    concurrency = 4

    @ability("alone.hold", retries=0, crashes=2)
    async def hold(self, name: str) -> str:
        events.put(name)
        await asyncio.to_thread(gate.wait, SECONDS)
        return name


def test_coroutines_a_drone_was_lost_with_are_performed_one_at_a_time(
    start: Start, client: Client, embedded_bus: EmbeddedBus
) -> None:
    first: Any = start(Alone)
    replies = client.insert_many(Alone.hold, ["a", "b", "c"])
    assert {events.get(timeout=SECONDS) for _ in range(3)} == {"a", "b", "c"}
    lost = first._actor_weakref()
    lost._bus.stop(goodbye=False)
    told: SimpleQueue[str] = SimpleQueue()
    start(Alone, alone=told.put)
    assert told.get(timeout=SECONDS).startswith("alone.hold ")
    begun = [events.get(timeout=SECONDS)]
    fresh = client.insert(Alone.hold, "fresh")
    assert client.status(SECONDS)["drones"][-1]["holding"] <= 1
    assert events.empty()
    gate.set()
    assert [reply.result(SECONDS) for reply in [*replies, fresh]] == ["a", "b", "c", "fresh"]
    while not events.empty():
        begun.append(events.get())
    assert sorted(begun) == ["a", "b", "c", "fresh"]


class Mixed(AsyncWorker):
    concurrency = 1

    @ability("mixed.long", retries=0)
    async def long(self) -> str:
        events.put("long")
        await asyncio.to_thread(gate.wait, 2 * SECONDS)
        return "long"

    @ability("mixed.short", retries=0)
    async def short(self, number: int) -> int:
        return number


class Threads(Worker):
    @ability("mixed.short", retries=0)
    def short(self, number: int) -> int:
        return -number


def test_a_task_does_not_wait_behind_a_coroutine_while_another_drone_is_idle(start: Start, client: Client) -> None:
    start(Mixed)
    long = client.insert(Mixed.long)
    assert events.get(timeout=SECONDS) == "long"
    stuck = client.insert(Mixed.short, 1)  # the busy drone, the only one, has credit for it
    start(Threads)
    assert stuck.result(SECONDS) == -1
    gate.set()
    assert long.result(SECONDS) == "long"
    assert abs(client.insert(Mixed.short, 2).result(SECONDS)) == 2


def test_a_cancelled_coroutine_has_time_to_clean_up() -> None:
    cancelled: list[str] = []

    class Performing:
        cancel = staticmethod(cancelled.append)

    slot: Any = Slot(None, None)  # type: ignore[arg-type]  # it looks at neither
    slot.performing = Performing()
    for now in (100.0, 100.1, 100.0 + CANCEL_AGAIN - 0.1):
        slot.cancel(now)
        assert len(cancelled) == 1
    slot.cancel(100.0 + CANCEL_AGAIN)
    assert len(cancelled) == 2
