"""Control of a whole cell on the real embedded bus."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import select
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from swarmage.abilities import ability
from swarmage.bus.publish import publish
from swarmage.client import orders as client_orders
from swarmage.client.client import Client
from swarmage.client.dead_letters import DeadLetters
from swarmage.client.orders import read_standing
from swarmage.drone.coroutines.async_worker import AsyncWorker
from swarmage.drone.worker import Worker
from swarmage.errors import ConfigError, TaskCancelled, TaskFailed
from swarmage.home import write_secret
from swarmage.task import Task
from swarmage.wire.orders import Orders, write_orders

from ..conftest import EmbeddedBus
from ..fakes import SECONDS
from .conftest import Start

events: SimpleQueue[Any] = SimpleQueue()
gate = threading.Event()


@pytest.fixture(autouse=True)
def _fresh(start: Start) -> Iterator[None]:
    """Close the gate for each test, and open it before its drones stop."""
    gate.clear()
    with contextlib.suppress(Empty):
        while True:
            events.get_nowait()
    yield
    gate.set()


class Steps(Worker):
    @ability("hold", retries=0)
    def hold(self, name: str) -> str:
        events.put(name)
        gate.wait(SECONDS)
        return name

    @ability("spin", retries=3)
    def spin(self, name: str, stubborn: int = 0) -> None:
        self.insert("hold", "inserted")
        events.put(name)
        while True:
            try:
                while not gate.is_set():  # a strike inside of its `wait` could leave its lock taken for ever
                    select.select([], [], [], 0.001)
            except TaskCancelled:
                events.put("struck")
                if not stubborn:
                    raise
                stubborn -= 1

    @ability("check")
    def check(self) -> None:
        events.put("check")
        gate.wait(SECONDS)
        self.checkpoint()
        events.put("went on")

    @ability("fan", retries=0)
    def fan(self) -> None:
        for part in [self.local("part", number) for number in range(3)]:
            part.result(SECONDS)

    @ability("part")
    def part(self, number: int) -> None:
        events.put(number)
        while not gate.wait(0.001):
            pass

    @ability("add")
    def add(self, a: int, b: int) -> int:
        return a + b


def is_cancelled(reply: Any) -> bool:
    with pytest.raises(TaskFailed) as failed:
        reply.result(SECONDS)
    return failed.value.kind == "TaskCancelled"


def eventually(check: Callable[[], object]) -> None:
    pause = threading.Event()
    for _ in range(int(SECONDS / 0.02)):
        if check():
            return
        pause.wait(0.02)
    raise AssertionError("it did not come to be")


def queues(client: Client) -> dict[str, Any]:
    return {queue["task_class"]: queue for queue in client.status()["queues"]}


def test_a_task_that_waits_on_the_bus_is_not_begun_by_a_drone_that_starts_later(start: Start, client: Client) -> None:
    reply, other = client.insert("hold", "cancelled"), client.insert("hold", "other")
    client.cancel(reply.id)
    start(Steps)
    assert events.get(timeout=SECONDS) == "other"
    assert is_cancelled(reply)
    gate.set()
    assert other.result(SECONDS) == "other"
    assert DeadLetters(client).all() == []


def test_a_task_that_waits_in_the_local_queue_is_not_begun(start: Start, client: Client) -> None:
    start(Steps, concurrency={"Steps": 2})
    for name in ("a", "b"):
        client.insert("hold", name)
        events.get(timeout=SECONDS)
    reply = client.insert("add", 1, 2)
    eventually(lambda: queues(client)["add"]["in_flight"] == 1)
    client.cancel(reply.id)
    assert is_cancelled(reply)
    gate.set()


def test_a_delayed_task_is_cancelled_when_it_comes_due(start: Start, client: Client) -> None:
    start(Steps)
    reply = client.insert_task(Task(task_class="hold", args=["late"], delay=0.3))
    client.cancel(reply.id)
    assert is_cancelled(reply)
    assert events.empty()


def test_a_task_that_runs_ends_and_leaves_nothing_and_its_worker_goes_on(start: Start, client: Client) -> None:
    start(Steps)
    reply = client.insert("spin", "spinning")
    assert events.get(timeout=SECONDS) == "spinning"
    client.cancel(reply.id)
    assert is_cancelled(reply)
    assert events.get(timeout=SECONDS) == "struck"
    assert client.insert("add", 1, 2).result(SECONDS) == 3
    assert events.empty()  # neither another attempt nor what it inserted
    assert DeadLetters(client).all() == []
    eventually(lambda: all(queue["waiting"] + queue["in_flight"] == 0 for queue in queues(client).values()))


def test_a_task_that_catches_it_is_struck_again(start: Start, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swarmage.drone.limit.CANCEL_AGAIN", 0.1)
    start(Steps)
    reply = client.insert("spin", "spinning", stubborn=1)
    assert events.get(timeout=SECONDS) == "spinning"
    client.cancel(reply.id)
    assert [events.get(timeout=SECONDS) for _ in range(2)] == ["struck", "struck"]
    assert is_cancelled(reply)


def test_a_task_that_waits_outside_of_python_ends_at_its_checkpoint(start: Start, client: Client) -> None:
    start(Steps)
    reply = client.insert("check")
    assert events.get(timeout=SECONDS) == "check"
    client.cancel(reply.id)
    client.pause("add")  # behind it, and a drone tells of this
    eventually(lambda: client.status()["drones"][0]["paused"] == {"add": ["ordered"]})
    gate.set()
    assert is_cancelled(reply)
    assert events.empty()


def test_the_local_tasks_of_a_cancelled_task_are_skipped_and_the_one_that_runs_ends(
    start: Start, client: Client
) -> None:
    start(Steps)
    reply = client.insert("fan")
    events.get(timeout=SECONDS)
    client.cancel(reply.id)
    assert is_cancelled(reply)
    assert events.empty()
    assert client.insert("add", 1, 2).result(SECONDS) == 3


def test_a_cancellation_is_not_for_ever(start: Start, client: Client) -> None:
    reply = client.insert("add", 1, 2)
    client.cancel(reply.id, keep=0.05)
    eventually(lambda: client.status()["cancelled"] == 0)
    start(Steps)
    assert reply.result(SECONDS) == 3


def test_a_paused_class_waits_and_the_others_go_on(start: Start, client: Client) -> None:
    start(Steps, concurrency={"Steps": 3})
    client.insert("hold", "running")
    events.get(timeout=SECONDS)
    client.pause("hold")
    eventually(lambda: client.status()["drones"][0]["paused"] == {"hold": ["ordered"]})
    assert client.status()["paused"] == ["hold"]
    held = client.insert("hold", "held")
    assert client.insert("add", 1, 2).result(SECONDS) == 3
    start(Steps)  # one that comes later
    assert queues(client)["hold"]["waiting"] == 1
    gate.set()
    assert events.empty()
    client.resume("hold")
    assert held.result(SECONDS) == "held"
    assert client.status()["paused"] == []


def test_pausing_gives_back_what_is_not_begun_and_does_not_count_that(start: Start, client: Client) -> None:
    start(Steps, concurrency={"Steps": 2})
    for name in ("a", "b"):
        client.insert("hold", name)
    waiting = [client.insert("add", number, 0) for number in range(2)]
    assert {events.get(timeout=SECONDS) for _ in range(2)} == {"a", "b"}
    eventually(lambda: queues(client)["add"]["in_flight"] == 2)
    client.pause("add")
    eventually(lambda: queues(client)["add"]["waiting"] == 2)
    gate.set()
    client.resume("add")
    assert [reply.result(SECONDS) for reply in waiting] == [0, 1]


def test_more_workers_take_more_tasks_at_once_and_fewer_take_fewer(start: Start, client: Client) -> None:
    start(Steps)
    replies = client.insert_many("hold", [str(number) for number in range(5)])
    assert events.get(timeout=SECONDS) == "0"
    client.concurrency("Steps", 3)
    assert {events.get(timeout=SECONDS) for _ in range(2)} == {"1", "2"}
    assert len(client.status()["drones"][0]["workers"]) == 3
    assert queues(client)["hold"]["in_flight"] == 3
    client.concurrency("Steps", 1)
    eventually(lambda: len(client.status()["drones"][0]["workers"]) == 1)
    assert queues(client)["hold"]["in_flight"] == 3
    gate.set()
    assert [reply.result(SECONDS) for reply in replies] == ["0", "1", "2", "3", "4"]
    client.concurrency("Steps", None)
    assert client.status()["concurrency"] == {}


def test_a_drone_that_starts_later_has_the_ordered_concurrency(start: Start, client: Client) -> None:
    client.concurrency("Steps", 4)
    start(Steps, concurrency={"Steps": 2})
    assert len(client.status()["drones"][0]["workers"]) == 4
    client.concurrency("Steps", None)
    eventually(lambda: len(client.status()["drones"][0]["workers"]) == 2)


def test_two_who_change_the_orders_at_once_both_succeed(embedded_bus: EmbeddedBus, client: Client) -> None:
    classes = [f"class-{number}" for number in range(12)]

    def pause(task_class: str) -> None:
        with Client(embedded_bus.url) as other:
            other.pause(task_class)

    threads = [threading.Thread(target=pause, args=(task_class,)) for task_class in classes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert client.status()["paused"] == sorted(classes)


def test_many_changes_become_one_message(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_orders, "MOST_PARTS", 3)
    for number in range(10):
        client.pause(f"class-{number}")
    client.resume("class-0")
    found = read_standing(client.connect(), client.wire, SECONDS, client.clock)
    assert found.parts <= 4
    assert client.status()["paused"] == [f"class-{number}" for number in range(1, 10)]


def test_the_first_order_that_another_key_signs_has_all_of_them_signed_anew(client: Client, home: Path) -> None:
    client.pause("hold")
    old = (home / "key").read_text()
    new = secrets.token_hex(32)
    write_secret(home / "key", f"{new}\n{old}\n")
    with Client(client.address.url) as other:
        other.resume("spin")
    write_secret(home / "key", f"{new}\n")
    with Client(client.address.url) as last:
        found = read_standing(last.connect(), last.wire, SECONDS, last.clock)
    assert (found.parts, found.current) == (1, True)
    assert {name: paused for name, (paused, _) in found.orders.paused.items()} == {"hold": True, "spin": False}


def test_an_old_order_that_somebody_sends_again_changes_nothing(start: Start, client: Client) -> None:
    client.pause("add")
    bus = client.connect()
    old = read_standing(bus, client.wire, SECONDS, client.clock).orders
    client.resume("add")
    publish(bus, [write_orders(client.wire, old)], SECONDS)
    start(Steps)
    assert client.insert("add", 1, 2).result(SECONDS) == 3
    assert client.status()["paused"] == []


def test_a_clock_that_is_behind_can_undo_what_one_ahead_ordered(client: Client) -> None:
    ahead = Orders(paused={"add": (True, client.clock.wall() + 3600)})
    publish(client.connect(), [write_orders(client.wire, ahead)], SECONDS)
    assert client.status()["paused"] == ["add"]
    client.resume("add")
    assert client.status()["paused"] == []


def test_a_drone_that_is_drained_finishes_and_leaves(start: Start, client: Client) -> None:
    ref = start(Steps)
    reply = client.insert("hold", "last")
    events.get(timeout=SECONDS)
    [name] = [drone["id"] for drone in client.status()["drones"]]
    assert client.drain(name)["holding"] == 1
    gate.set()
    assert reply.result(SECONDS) == "last"
    eventually(lambda: not ref.is_alive())
    with pytest.raises(ConfigError, match="there is no drone"):
        client.drain(name)


def test_stacks_show_where_a_worker_is(start: Start, client: Client) -> None:
    start(Steps)
    reply = client.insert("hold", "here")
    events.get(timeout=SECONDS)
    [drone] = client.status()["drones"]
    shown = client.stacks(drone["pid"])
    [worker] = shown["workers"]
    assert (worker["task"], worker["task_class"], worker["name"]) == (reply.id, "hold", "Steps")
    assert "in hold\n    gate.wait(SECONDS)\n" in worker["stack"]
    assert 0 <= worker["seconds"] < SECONDS
    assert any("_actor_loop" in thread["stack"] for thread in shown["threads"])
    gate.set()


def test_status_says_since_when_a_worker_performs_what(start: Start, client: Client) -> None:
    start(Steps)
    began = client.clock.wall()
    client.insert("hold", "here")
    events.get(timeout=SECONDS)
    [worker] = client.status()["drones"][0]["workers"]
    assert worker["task_class"] == "hold"
    assert abs(worker["since"] - began) < SECONDS
    gate.set()


@pytest.mark.parametrize(
    ("what", "values", "says"),
    [
        ("cancel", [""], "the id of a task"),
        ("pause", ["no class"], "task class"),
        ("concurrency", ["Steps", 0], "1 to 1000"),
        ("concurrency", ["no class", 1], "not the name of a Worker class"),
        ("drain", ["nobody"], "there is no drone 'nobody'"),
        ("stacks", [""], "there is no drone"),
    ],
)
def test_what_makes_no_sense_is_refused(client: Client, what: str, values: list[Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        getattr(client, what)(*values)


class Coroutines(AsyncWorker):
    concurrency = 2

    @ability("wait", retries=0)
    async def wait(self, name: str) -> str:
        self.insert("hold", "inserted")
        events.put(name)
        try:
            await asyncio.to_thread(gate.wait, SECONDS)
        except asyncio.CancelledError:
            events.put("struck")
            raise
        return name


def test_a_coroutine_is_cancelled_where_it_awaits(start: Start, client: Client) -> None:
    start(Coroutines, Steps)
    reply, other = client.insert("wait", "a"), client.insert("wait", "b")
    assert {events.get(timeout=SECONDS), events.get(timeout=SECONDS)} == {"a", "b"}
    client.cancel(reply.id)
    assert events.get(timeout=SECONDS) == "struck"
    with pytest.raises(TaskFailed, match="TaskCancelled"):
        reply.result(SECONDS)
    assert not other.done
    gate.set()
    assert other.result(SECONDS) == "b"
    assert events.get(timeout=SECONDS) == "inserted"
    assert events.empty()


def test_the_slots_of_coroutines_are_ordered_like_workers(start: Start, client: Client) -> None:
    start(Coroutines, Steps)
    replies = [client.insert("wait", str(number)) for number in range(5)]
    assert {events.get(timeout=SECONDS) for _ in range(2)} == {"0", "1"}
    client.concurrency("Coroutines", 4)
    assert {events.get(timeout=SECONDS) for _ in range(2)} == {"2", "3"}
    assert events.empty()
    gate.set()
    assert [reply.result(SECONDS) for reply in replies] == ["0", "1", "2", "3", "4"]
