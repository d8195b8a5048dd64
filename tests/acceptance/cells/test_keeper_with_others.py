"""Workers in processes beside those in threads and on the event loop, and under control while they run."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from pathlib import Path
from typing import Any, TypeVar

import pykka
import pytest
from processes import eventually, is_gone
from pykka.messages import ProxyCall

from swarmage.client.client import Client
from swarmage.client.dead_letters import DeadLetters
from swarmage.client.reply import Reply
from swarmage.drone.coroutines.async_worker import AsyncWorker
from swarmage.drone.processes.keeper import Keeper
from swarmage.drone.worker import Worker
from swarmage.errors import AbilityError, TaskFailed
from swarmage.task import Task
from swarmage.testing.swarm import Swarm
from tests.unit.drone.conftest import Start

from .mixed import InProcess, InThread, OnLoop

pytestmark = pytest.mark.acceptance

SECONDS = 10.0
W = TypeVar("W", bound=Worker)


def actors(kind: type[W]) -> list[W]:
    found = [ref._actor_weakref() for ref in pykka.ActorRegistry.get_all()]
    return [actor for actor in found if isinstance(actor, kind)]


def keepers() -> list[Keeper]:
    return actors(Keeper)


def pid_of(keeper: Keeper) -> int:
    assert keeper._child is not None
    return keeper._child.pid


def busy() -> list[Keeper]:
    return [keeper for keeper in keepers() if keeper._stack]


def is_cancelled(reply: Reply[Any]) -> bool:
    with pytest.raises(TaskFailed) as failed:
        reply.result(SECONDS)
    return failed.value.kind == "TaskCancelled"


def waiting(client: Client, task_class: str) -> int:
    return sum(int(queue["waiting"]) for queue in client.status()["queues"] if queue["task_class"] == task_class)


# local tasks between all kinds


def test_local_tasks_go_between_threads_processes_and_coroutines_in_all_directions(
    start: Start, client: Client
) -> None:
    start(InProcess, OnLoop, InThread)
    kinds = ("process", "async", "thread")
    for first, *way in itertools.product(kinds, repeat=3):
        performed = client.insert(f"{first}.down", [*way, first]).result(SECONDS)
        assert [kind for kind, _ in performed] == [first, *way, first]
        assert all((pid == os.getpid()) == (kind != "process") for kind, pid in performed)


def test_a_coroutine_and_a_process_that_ask_each_other_get_the_values_they_sent(start: Start, client: Client) -> None:
    start(InProcess, OnLoop)
    assert client.insert("async.ask", [1, 2, 3]).result(SECONDS) == [2, 3, 4]
    assert client.insert("process.ask", [1, 2, 3]).result(SECONDS) == [2, 3, 4]


@pytest.mark.parametrize(
    ("task", "kind"),
    [(("async.catch", 0), "ValueError"), (("async.catch", 3), "WorkerCrashed"), (("process.catch",), "ValueError")],
)
def test_a_failed_local_task_of_another_kind_is_told_and_fails_the_tree(
    start: Start, client: Client, task: Any, kind: str
) -> None:
    start(InProcess, OnLoop)
    with pytest.raises(TaskFailed) as failed:
        client.insert(*task).result(SECONDS)
    assert failed.value.kind == kind


# what a task says meanwhile


@pytest.mark.parametrize("task_class", ["process.say", "thread.say_all"])
def test_responses_at_once_and_later_come_once_and_in_the_order_of_a_thread(
    start: Start, client: Client, fifo: Path, task_class: str
) -> None:
    start(InProcess, InThread)
    reply = client.insert(task_class, str(fifo))
    parts = reply.parts(SECONDS)
    assert next(parts) == "first"
    assert reply.begun(SECONDS)
    assert not reply.done
    fifo.write_text("go on")
    assert list(parts) == ["fourth", "second", "third", "end"]  # what a local task said goes first


@pytest.mark.parametrize("asked", [True, False])
def test_who_asked_for_it_hears_that_a_process_has_begun(start: Start, client: Client, fifo: Path, asked: bool) -> None:
    start(InProcess)
    reply = client.insert_task(Task(task_class="process.hold", args=[str(fifo)], acknowledge=asked))
    eventually(busy)
    assert reply.begun(SECONDS if asked else 0.2) is asked
    assert not reply.done
    fifo.write_text("go on")
    reply.result(SECONDS)


# cancelling


def test_cancelling_kills_the_process_and_another_takes_its_place(start: Start, client: Client, fifo: Path) -> None:
    start(InProcess)
    reply = client.insert("process.hold", str(fifo))
    eventually(busy)
    pid = pid_of(busy()[0])
    client.cancel(reply.id)
    assert is_cancelled(reply)
    assert is_gone(pid)
    assert client.insert("process.quick").result(SECONDS) not in {pid, os.getpid()}
    assert DeadLetters(client).all() == []


@pytest.mark.parametrize("root", ["process.wait", "thread.give"])
def test_cancelling_ends_a_tree_that_is_in_threads_and_processes(
    start: Start, client: Client, fifo: Path, root: str
) -> None:
    start(InProcess, InThread)
    reply = client.insert(root, str(fifo))
    eventually(lambda: busy() and any(worker.current_runs for worker in actors(InThread)))
    [keeper] = keepers()
    pid = pid_of(keeper)
    client.cancel(reply.id)
    eventually(lambda: is_gone(pid))
    if root == "process.wait":
        with contextlib.suppress(BrokenPipeError):  # it ended just when it could
            fifo.write_text("go on")  # the local task sits in a call to C, in a thread
    assert is_cancelled(reply)
    assert waiting(client, "nobody.takes") == 0
    assert client.insert("process.quick").result(SECONDS)


def many_short_tasks(client: Client) -> None:
    """Have keepers give their processes tasks ahead."""

    def some() -> bool:
        for reply in client.insert_many("process.quick", [()] * 200):
            reply.result(SECONDS)
        return all(keeper._pace.room() for keeper in keepers())

    eventually(some)


def test_tasks_given_ahead_to_a_process_that_is_killed_are_performed_by_another(
    start: Start, client: Client, fifo: Path
) -> None:
    start(InProcess)
    many_short_tasks(client)
    [keeper] = keepers()
    given = keeper._number
    replies = client.insert_many("process.quick", [()] * 100 + [(str(fifo),)] + [()] * 100)
    replies[99].result(SECONDS)
    client.cancel(replies[100].id)
    assert is_cancelled(replies[100])
    for reply in replies[:100] + replies[101:]:
        reply.result(SECONDS)
    assert keeper._number > given
    assert DeadLetters(client).all() == []


def test_whatever_is_cancelled_at_whatever_moment_no_other_task_suffers(start: Start, client: Client) -> None:
    start(InProcess)
    many_short_tasks(client)
    [keeper] = keepers()
    cancelled = set()
    failed = []
    for _ in range(4):
        replies = client.insert_many("process.quick", [()] * 150)
        while not replies[-1].done:
            for run in keeper.current_runs:
                if keeper._cancel(run.tree.task.id):
                    cancelled.add(run.tree.task.id)
            threading.Event().wait(0.003)
        for reply in replies:
            try:
                reply.result(SECONDS)
            except TaskFailed as error:
                failed.append((error.kind, reply.id in cancelled))
    assert set(failed) == {("TaskCancelled", True)}


# more and fewer of them, and the end of a keeper


def test_more_processes_take_more_tasks_at_once_and_fewer_take_fewer(
    start: Start, client: Client, tmp_path: Path
) -> None:
    fifos = [tmp_path / f"fifo{number}" for number in range(3)]
    for held in fifos:
        os.mkfifo(held)
    start(InProcess)
    replies = client.insert_many("process.hold", [str(held) for held in fifos])
    eventually(lambda: len(busy()) == 1)
    client.concurrency("InProcess", 4)
    eventually(lambda: len(busy()) == 3)
    pids = {pid_of(keeper) for keeper in keepers()}
    assert len(pids) == 4
    working = {pid_of(keeper) for keeper in busy()}
    client.concurrency("InProcess", 1)
    eventually(lambda: len(client.status()["drones"][0]["workers"]) == 1)
    [idle] = pids - working
    eventually(lambda: is_gone(idle))
    assert len(busy()) == 3  # those that are too many finish what they do
    for held in fifos:
        held.write_text("go on")
    assert {reply.result(SECONDS) for reply in replies} == working
    eventually(lambda: sum(map(is_gone, pids)) == 3)
    assert client.insert("process.quick").result(SECONDS) in pids


def test_fewer_processes_end_also_when_the_drone_stops_at_once(start: Start, client: Client, fifo: Path) -> None:
    ref = start(InProcess, concurrency={"InProcess": 3}, grace=0.1)
    client.insert("process.hold", str(fifo))
    eventually(busy)
    pids = [pid_of(keeper) for keeper in keepers()]
    client.concurrency("InProcess", 1)
    client.insert("process.hold", str(fifo))
    ref.stop(timeout=SECONDS)
    assert all(map(is_gone, pids))


def test_a_keeper_that_dies_of_a_message_is_replaced_and_its_process_ended(
    start: Start, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    ref = start(InProcess)
    [keeper] = keepers()
    pid, nursery = pid_of(keeper), keeper.nursery
    keeper.actor_ref.tell(ProxyCall(attr_path=("nothing",), args=(), kwargs={}))
    eventually(lambda: is_gone(pid))
    assert client.insert("process.quick").result(SECONDS) != pid
    assert "InProcess has died" in caplog.text
    ref.stop(timeout=SECONDS)
    assert nursery._keepers == 0


# looking into it


def test_stacks_show_where_a_process_is(start: Start, client: Client, fifo: Path) -> None:
    start(InProcess, InThread)
    reply = client.insert("process.hold", str(fifo))
    eventually(busy)
    [drone] = client.status()["drones"]

    def stack() -> str:
        [worker] = client.stacks(drone["pid"])["workers"]
        assert (worker["name"], worker["task"], worker["task_class"]) == ("InProcess", reply.id, "process.hold")
        return str(worker["stack"])

    eventually(lambda: "in hold\n    Path(fifo).read_text()\n" in stack())
    shown = stack()
    assert shown.index("in serve\n") < shown.index("in run_child\n") < shown.index("in hold\n")
    fifo.write_text("go on")
    assert reply.result(SECONDS)


def test_of_a_process_that_is_gone_no_stack_is_shown(start: Start, client: Client, fifo: Path) -> None:
    start(InProcess)
    [keeper] = keepers()
    assert keeper._child is not None
    child = keeper._child
    assert "in run_child\n" in child.stack()
    child.kill()
    assert child.wait(SECONDS)
    begun = time.monotonic()
    assert child.stack() == ""
    child.end()
    assert child.stack() == ""
    assert time.monotonic() - begun < 0.4  # it waited for nothing


# elsewhere


def test_a_swarm_in_memory_has_processes_too_and_their_time_limits_follow_its_clock(fifo: Path) -> None:
    with Swarm(InProcess, OnLoop) as swarm:
        assert swarm.insert("async.ask", [1, 2]).result(SECONDS) == [2, 3]
        reply = swarm.insert("process.slow", str(fifo))
        eventually(busy)
        swarm.advance(301)
        with pytest.raises(TaskFailed, match="TaskTimeout"):
            reply.result(SECONDS)
        swarm.settle()
        assert [letter.failure.kind for letter in swarm.dead()] == ["TaskTimeout"]


def test_an_async_worker_in_a_process_is_refused_when_it_is_defined() -> None:
    with pytest.raises(AbilityError, match=r"Wrong\.isolation must be 'thread', for an AsyncWorker"):
        type("Wrong", (AsyncWorker,), {"isolation": "process"})
