from __future__ import annotations

import threading
from collections.abc import Callable

from swarmage.drone.coroutines.async_inbox import AsyncInbox
from swarmage.drone.local_queue import Mailbox
from swarmage.drone.messages import WAKE, Letter
from swarmage.drone.run import Run
from swarmage.drone.worker_inbox import WorkerInbox
from swarmage.task import Task

from ...fakes import FakeCell, local_run


class Loop:
    """Keeps what it is to call."""

    def __init__(self) -> None:
        self.called: list[Callable[[], object]] = []

    def call(self, callback: Callable[[], object]) -> None:
        self.called.append(callback)


def inbox_of(mailbox: Mailbox, *names: str) -> tuple[AsyncInbox, Loop]:
    loop = Loop()
    return AsyncInbox(mailbox, names, loop, lambda: None), loop  # type: ignore[arg-type]


def runs(cell: FakeCell, name: str, count: int, kind: str = "bus") -> list[Run]:
    made = [cell.run(Task(task_class=name), str(number)) for number in range(count)]
    cell.mailbox.open_trees = 0
    return made if kind == "bus" else [local_run(run, run.task) for run in made]


def test_it_takes_many_at_once_and_is_idle_when_there_are_no_more() -> None:
    cell = FakeCell()
    inbox, _ = inbox_of(cell.mailbox, "a", "b")
    given = runs(cell, "a", 3)
    cell.mailbox.put_runs(given)
    assert inbox.take_many(2, newest=False, bus=True) == given[:2]
    assert not inbox.idle
    assert inbox.take_many(2, newest=False, bus=True) == given[2:]
    assert inbox.idle


def test_local_tasks_come_first_and_where_slots_are_lent_the_newest() -> None:
    cell = FakeCell()
    inbox, _ = inbox_of(cell.mailbox, "a", "b")
    bus, local = runs(cell, "a", 1), runs(cell, "b", 3, "local")
    cell.mailbox.put_runs([*bus, *local])
    assert inbox.take_many(1, newest=True, bus=True) == local[2:]
    assert inbox.take_many(1, newest=False, bus=True) == local[:1]
    assert inbox.take_many(9, newest=False, bus=False) == local[1:2]
    assert inbox.take_many(9, newest=False, bus=True) == bus


def test_no_task_class_comes_last_for_ever() -> None:
    cell = FakeCell()
    inbox, _ = inbox_of(cell.mailbox, "a", "b")
    cell.mailbox.put_runs([*runs(cell, "a", 4), *runs(cell, "b", 4)])
    taken = [inbox.take_many(1, newest=False, bus=True)[0].task.task_class for _ in range(4)]
    assert taken == ["a", "b", "a", "b"]


def test_a_burst_rings_once_and_an_idle_worker_is_woken_for_more() -> None:
    cell = FakeCell()
    inbox, loop = inbox_of(cell.mailbox, "a")
    assert inbox.take_many(1, newest=False, bus=True) == []
    cell.mailbox.put_runs(runs(cell, "a", 5))
    inbox.put(Letter("to itself"))
    inbox.put(WAKE)
    assert len(loop.called) == 1
    loop.called.pop()()
    assert [letter.message for letter in inbox.letters] == ["to itself"]
    inbox.ring()
    assert len(loop.called) == 1


def test_a_worker_without_room_passes_its_wake_up_on() -> None:
    cell = FakeCell()
    inbox, _ = inbox_of(cell.mailbox, "a")
    thread = WorkerInbox(cell.mailbox, ["a"])
    assert cell.mailbox.take(thread) is None
    assert inbox.take_many(1, newest=False, bus=True) == []  # the last to be idle is the first to be woken
    given = runs(cell, "a", 1)
    cell.mailbox.put_runs(given)
    assert inbox.woken_by is not None
    inbox.pass_on()
    assert thread.woken_by is not None
    assert thread.get() is given[0]


def test_one_that_leaves_is_woken_for_local_tasks_alone() -> None:
    cell = FakeCell()
    inbox, loop = inbox_of(cell.mailbox, "a")
    assert inbox.take_many(1, newest=True, bus=False) == []
    cell.mailbox.put_runs(runs(cell, "a", 1))
    assert not loop.called
    cell.mailbox.put_runs(runs(cell, "a", 1, "local"))
    assert loop.called


def test_tasks_are_shared_by_threads_that_take_one_and_loops_that_take_many() -> None:
    cell = FakeCell()
    inbox, _ = inbox_of(cell.mailbox, "a")
    given = runs(cell, "a", 2000)
    taken: list[Run] = []
    done = threading.Event()

    def take_singly() -> None:
        thread = WorkerInbox(cell.mailbox, ["a"])
        while not done.is_set() or cell.mailbox.lanes["a"].bus:
            if (run := cell.mailbox.take(thread)) is not None:
                taken.append(run)

    threads = [threading.Thread(target=take_singly) for _ in range(2)]
    for one in threads:
        one.start()
    for start in range(0, 2000, 50):
        cell.mailbox.put_runs(given[start : start + 50])
        taken += inbox.take_many(20, newest=False, bus=True)
    done.set()
    for one in threads:
        one.join(5)
    while rest := inbox.take_many(64, newest=False, bus=True):
        taken += rest
    assert sorted(map(id, taken)) == sorted(map(id, given))
