from __future__ import annotations

import threading
from collections import Counter
from queue import SimpleQueue
from typing import Any

import pytest

from swarmage.clock import SYSTEM_CLOCK
from swarmage.drone.local_queue import Mailbox
from swarmage.drone.messages import FLUSH, TICK, Flush, Letter, Tick
from swarmage.drone.run import Local, Run, Tree
from swarmage.drone.worker_inbox import WorkerInbox
from swarmage.outcome import Succeeded
from swarmage.task import Task

from ..fakes import SECONDS, FakeCell, FakeClock, FakeConnection
from ..seeds import rng

CELL = FakeCell()
SIGNED = CELL.wire.task(Task(task_class="x", id="any"))


def bus_run(name: Any, task_class: str = "x", connection: FakeConnection | None = None) -> Run:
    task = Task(task_class=task_class, id=str(name))
    delivery = CELL.delivery(SIGNED, str(name))
    if connection is not None:
        delivery = delivery._replace(connection=connection)
    return Run(task, Tree(delivery, task))


def child(parent: Run, name: str, task_class: str = "x") -> Run:
    return Run(Task(task_class=task_class, id=name), parent.tree, "1", Local(task_class))


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox(SYSTEM_CLOCK)


@pytest.fixture
def inbox(mailbox: Mailbox) -> WorkerInbox:
    return WorkerInbox(mailbox, ["x", "y"])


def taken(mailbox: Mailbox, inbox: WorkerInbox) -> list[str]:
    names = []
    while (run := mailbox.take(inbox)) is not None:
        names.append(run.task.id)
    return names


def woken(*inboxes: WorkerInbox) -> list[WorkerInbox]:
    return [inbox for inbox in inboxes if not inbox.empty()]


def test_local_tasks_go_ahead_of_those_from_the_bus_and_each_in_order(mailbox: Mailbox, inbox: WorkerInbox) -> None:
    root = bus_run("root")
    mailbox.put_runs([bus_run("bus1"), bus_run("bus2")])
    mailbox.put_runs([child(root, "local1"), child(root, "local2", "y")])
    mailbox.put_runs([child(root, "local3"), bus_run("bus3", "y")])
    assert taken(mailbox, inbox) == ["local1", "local3", "local2", "bus1", "bus3", "bus2"]


def test_no_task_class_waits_for_the_end_of_another_one(mailbox: Mailbox) -> None:
    inbox = WorkerInbox(mailbox, ["x", "y", "z"])
    mailbox.put_runs([bus_run(f"x{number}") for number in range(5)])
    assert inbox.get().task.id == "x0"
    mailbox.put_runs([bus_run("z0", "z"), bus_run("z1", "z"), bus_run("y0", "y")])
    assert [inbox.get().task.id for _ in range(7)] == ["y0", "z0", "x1", "z1", "x2", "x3", "x4"]


def test_a_worker_takes_only_what_it_is_able_to_do(mailbox: Mailbox) -> None:
    able, other = WorkerInbox(mailbox, ["x"]), WorkerInbox(mailbox, ["y"])
    mailbox.put_runs([bus_run("1", "x")])
    assert mailbox.take(other) is None
    assert taken(mailbox, able) == ["1"]


def test_a_burst_wakes_one_worker_and_that_one_wakes_the_next(mailbox: Mailbox) -> None:
    inboxes = [WorkerInbox(mailbox, ["x"]) for _ in range(4)]
    for inbox in inboxes:
        assert mailbox.take(inbox) is None
    mailbox.put_runs([bus_run(number) for number in range(3)])
    mailbox.put_runs([bus_run(3)])
    [first] = woken(*inboxes)
    assert first.get() is not None
    assert len(woken(*inboxes)) == 1
    [second] = woken(*inboxes)
    assert second is not first


def test_who_has_nothing_to_do_is_not_woken(mailbox: Mailbox) -> None:
    able, other = WorkerInbox(mailbox, ["x"]), WorkerInbox(mailbox, ["y"])
    for inbox in (able, other):
        mailbox.take(inbox)
    mailbox.put_runs([bus_run("1", "x")])
    assert woken(able, other) == [able]


def test_a_wake_up_that_reaches_a_worker_with_something_else_to_do_goes_to_the_next(mailbox: Mailbox) -> None:
    one, two = WorkerInbox(mailbox, ["x"]), WorkerInbox(mailbox, ["x"])
    for inbox in (one, two):
        mailbox.take(inbox)
    letter = Letter("for you")
    two.put(letter)
    mailbox.put_runs([bus_run("1")])  # two was idle last, so it is woken first
    assert one.empty()
    assert two.get() is letter
    assert woken(one) == [one]
    assert one.get().task.id == "1"


def test_a_wake_up_of_a_worker_that_closes_goes_to_the_next(mailbox: Mailbox) -> None:
    one, two = WorkerInbox(mailbox, ["x"]), WorkerInbox(mailbox, ["x"])
    for inbox in (one, two):
        mailbox.take(inbox)
    mailbox.put_runs([bus_run("1")])
    two.close()
    assert woken(one, two) == [one]
    assert one.get().task.id == "1"
    assert mailbox.take(two) is None


STOP = Letter("stop")


class Taker:
    """A worker's thread that takes what it finds until it is told to stop."""

    def __init__(self, mailbox: Mailbox, performed: SimpleQueue[str]) -> None:
        self.inbox = WorkerInbox(mailbox, ["x"])
        self._performed = performed
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        while (message := self.inbox.get()) is not STOP:
            if type(message) is Run:
                self._performed.put(message.task.id)
        self.inbox.close()

    def join(self) -> None:
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()


def test_every_task_is_taken_exactly_once_while_workers_come_and_go() -> None:
    mailbox, performed, source, count = Mailbox(SYSTEM_CLOCK), SimpleQueue[str](), rng(), 20_000
    crew, left = [Taker(mailbox, performed) for _ in range(4)], []
    runs = [bus_run(number) for number in range(count)]
    while runs:
        size = source.choice((1, 1, 2, 7, 64, 300))
        mailbox.put_runs(runs[:size])
        del runs[:size]
        number = source.randrange(4)
        crew[number].inbox.put(Letter("something else"))
        if source.random() < 0.3:
            crew[number].inbox.put(STOP)
            left.append(crew[number])
            crew[number] = Taker(mailbox, performed)
    seen = Counter(performed.get(timeout=SECONDS) for _ in range(count))
    for taker in crew:
        taker.inbox.put(STOP)
    for taker in left + crew:
        taker.join()
    assert performed.empty()
    assert set(seen.values()) == {1}
    assert len(seen) == count


def test_an_idle_worker_is_always_woken() -> None:
    mailbox = Mailbox(SYSTEM_CLOCK)
    performed: SimpleQueue[str] = SimpleQueue()

    def work(inbox: WorkerInbox) -> None:
        while type(message := inbox.get()) is Run:
            performed.put(message.task.id)

    inboxes = [WorkerInbox(mailbox, ["x"]) for _ in range(4)]
    threads = [threading.Thread(target=work, args=(inbox,)) for inbox in inboxes]
    for thread in threads:
        thread.start()
    for number in range(1000):
        mailbox.put_runs([bus_run(number)])
        assert performed.get(timeout=SECONDS) == str(number)
    for inbox in inboxes:
        inbox.put(Letter("stop"))
    for thread in threads:
        thread.join(SECONDS)


def test_a_worker_that_waits_takes_local_tasks_newest_first_and_none_from_the_bus(
    mailbox: Mailbox, inbox: WorkerInbox
) -> None:
    root = bus_run("root")
    mailbox.put_runs([bus_run("bus"), child(root, "old"), child(root, "new")])
    assert [run.task.id for run in (mailbox.take_local(inbox), mailbox.take_local(inbox)) if run] == ["new", "old"]
    assert mailbox.take_local(inbox) is None


def test_a_worker_that_waits_is_woken_by_a_local_task_and_not_by_one_from_the_bus(
    mailbox: Mailbox, inbox: WorkerInbox
) -> None:
    assert mailbox.take_local(inbox) is None
    mailbox.put_runs([bus_run("bus")])
    assert inbox.empty()
    mailbox.put_runs([child(bus_run("root"), "local")])
    assert not inbox.empty()


def test_an_idle_worker_is_woken_before_one_that_waits(mailbox: Mailbox) -> None:
    idle, waiting = WorkerInbox(mailbox, ["x"]), WorkerInbox(mailbox, ["x"])
    mailbox.take(idle)
    mailbox.take_local(waiting)
    mailbox.put_runs([child(bus_run("root"), "local")])
    assert woken(idle, waiting) == [idle]


def test_a_closed_queue_lets_go_of_bus_tasks_and_goes_on_with_local_ones(mailbox: Mailbox, inbox: WorkerInbox) -> None:
    begun = bus_run("begun")
    mailbox.put_runs([begun])
    assert mailbox.take(inbox) is begun
    mailbox.put_runs([bus_run("waiting"), child(begun, "local1")])
    mailbox.close()
    assert mailbox.open_trees == 1
    mailbox.put_runs([bus_run("late"), child(begun, "local2")])
    assert mailbox.open_trees == 1
    assert taken(mailbox, inbox) == ["local1", "local2"]


def test_waiting_tasks_can_be_taken_out_again(mailbox: Mailbox, inbox: WorkerInbox) -> None:
    runs = [bus_run(number) for number in range(4)]
    mailbox.put_runs([*runs, child(runs[0], "local"), bus_run("other", "y")])
    removed = mailbox.remove_waiting("x", lambda run: run.task.id in ("1", "2"))
    assert removed == runs[1:3]
    assert mailbox.open_trees == 3
    assert taken(mailbox, inbox) == ["local", "0", "other", "3"]
    assert mailbox.remove_waiting("x", lambda _: True) == []


def test_a_tree_has_ended_when_its_last_task_has(mailbox: Mailbox) -> None:
    WorkerInbox(mailbox, ["x"])
    root, other = bus_run("root"), bus_run("other")
    mailbox.put_runs([root, other])
    leaves = [child(root, f"leaf{number}") for number in range(3)]
    mailbox.put_runs(leaves)
    assert mailbox.end_runs([root, leaves[0]]) == []
    assert mailbox.end_runs([leaves[1], other]) == [other.tree]
    assert mailbox.open_trees == 1
    assert mailbox.end_runs([leaves[2]]) == [root.tree]
    assert mailbox.open_trees == 0


def test_a_task_that_comes_again_on_a_new_connection_while_it_runs_is_not_begun_twice(
    mailbox: Mailbox, inbox: WorkerInbox
) -> None:
    old, new = FakeConnection(), FakeConnection()
    first = bus_run("1", connection=old)
    mailbox.put_runs([first])
    assert mailbox.take(inbox) is first
    old.lost = True
    again = bus_run("1", connection=new)
    mailbox.put_runs([again])
    assert mailbox.take(inbox) is None
    assert mailbox.open_trees == 1
    assert mailbox.end_runs([first]) == [first.tree]
    assert first.tree.delivery is again.tree.delivery
    assert mailbox.open_trees == 0
    mailbox.put_runs([bus_run("1", connection=new)])  # ended: now it is a task like any other
    assert len(taken(mailbox, inbox)) == 1


def test_the_same_task_twice_on_one_living_connection_is_two_to_acknowledge(
    mailbox: Mailbox, inbox: WorkerInbox
) -> None:
    runs = [bus_run("1"), bus_run("1")]
    mailbox.put_runs(runs)
    assert mailbox.open_trees == 2
    assert taken(mailbox, inbox) == ["1", "1"]
    assert mailbox.end_runs(runs) == [runs[0].tree, runs[1].tree]
    assert (mailbox.open_trees, mailbox.trees) == (0, {})


def test_the_runs_of_a_burst_are_one_message_to_the_drone(mailbox: Mailbox) -> None:
    runs = [bus_run(number) for number in range(3)]
    mailbox._next_tick = SYSTEM_CLOCK.monotonic() + SECONDS
    for run in runs:
        mailbox.finish(run, Succeeded(run.task.id))
    assert mailbox.get() is FLUSH
    assert mailbox.empty()
    assert mailbox.drain_finished() == [(run, Succeeded(run.task.id)) for run in runs]
    mailbox.finish(runs[0], Succeeded(1))
    assert isinstance(mailbox.get().message, Flush)


def test_a_task_told_to_the_drone_goes_into_its_lane_and_all_else_to_the_drone(
    mailbox: Mailbox, inbox: WorkerInbox
) -> None:
    run, letter = bus_run("1"), Letter("hello")
    mailbox.put(run)
    mailbox.put(letter)
    assert mailbox.take(inbox) is run
    mailbox._next_tick = SYSTEM_CLOCK.monotonic() + SECONDS
    assert mailbox.get() is letter


def test_time_is_told_ten_times_a_second_also_when_messages_keep_coming(clock: FakeClock) -> None:
    mailbox = Mailbox(clock)
    letter = Letter("hello")
    for _ in range(4):
        mailbox.put(letter)
    assert mailbox.get() is TICK
    assert mailbox.get() is letter
    clock.advance(0.09)
    assert mailbox.get() is letter
    clock.advance(0.02)
    assert isinstance(mailbox.get().message, Tick)
    assert mailbox.get() is letter


def test_who_comes_from_a_task_takes_the_next_at_once_and_wakes_an_idle_worker_for_more(mailbox: Mailbox) -> None:
    busy, idle = WorkerInbox(mailbox, ["x"]), WorkerInbox(mailbox, ["x"])
    mailbox.put_runs([bus_run(1)])
    assert busy.get().task.id == "1"
    assert mailbox.take(idle) is None
    mailbox.lanes["x"].bus.extend([bus_run(2), bus_run(3)])  # as if the wake-up were for another lane
    assert mailbox.take_at_once(busy).task.id == "2"  # type: ignore[union-attr]
    assert woken(busy, idle) == [idle]


def test_what_is_local_is_not_passed_by(mailbox: Mailbox, inbox: WorkerInbox) -> None:
    root = bus_run("root")
    mailbox.put_runs([bus_run("bus"), child(root, "local", "y")])
    assert mailbox.take_at_once(inbox) is None
    assert inbox.get().task.id == "local"
    assert inbox.get().task.id == "bus"


def test_each_task_is_taken_once_by_a_worker_or_by_who_takes_them_out(mailbox: Mailbox) -> None:
    inboxes = [WorkerInbox(mailbox, ["x"]) for _ in range(4)]
    total, dice, out = 4_000, rng(), []
    got: list[list[str]] = [[] for _ in inboxes]
    over = threading.Event()

    def work(inbox: WorkerInbox, mine: list[str]) -> None:
        while not over.is_set() or mailbox.lanes["x"].bus:
            run = mailbox.take_at_once(inbox)
            if run is not None:
                mine.append(run.task.id)

    threads = [threading.Thread(target=work, args=pair) for pair in zip(inboxes, got, strict=True)]
    for thread in threads:
        thread.start()
    for start in range(0, total, 40):
        mailbox.put_runs([bus_run(number) for number in range(start, start + 40)])
        odd = dice.random() < 0.5
        out += mailbox.remove_waiting("x", lambda run, odd=odd: (int(run.task.id) % 2 == 1) == odd)
        stuck, _ = mailbox.remove_stuck("x", mailbox.lanes["x"].first)
        out += stuck
    over.set()
    for thread in threads:
        thread.join(SECONDS)
    names = [name for mine in got for name in mine] + [run.task.id for run in out]
    assert Counter(names) == Counter(str(number) for number in range(total))
