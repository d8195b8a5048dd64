from __future__ import annotations

import pytest

from swarmage.drone.holding import Holding
from swarmage.drone.run import Run, Tree
from swarmage.drone.worker_inbox import WorkerInbox
from swarmage.task import Task

from ..fakes import FakeCell, FakeConnection


class Hall:
    def __init__(self) -> None:
        self.cell = FakeCell()
        self.inbox = WorkerInbox(self.cell.mailbox, ["a", "b"])
        self.holding = Holding(self.cell.mailbox)

    def run(self, name: str, task_class: str = "a") -> Run:
        task = Task(task_class=task_class, id=name)
        return Run(task, Tree(self.cell.delivery(self.cell.wire.task(task), name), task))

    def taken(self) -> list[str]:
        found = []
        while (run := self.cell.mailbox.take(self.inbox)) is not None:
            found.append(run.task.id)
        return found


@pytest.fixture
def hall() -> Hall:
    return Hall()


def test_what_waits_and_what_comes_of_a_paused_class_is_kept_aside_until_it_is_resumed(hall: Hall) -> None:
    hall.holding.put_runs([hall.run("1"), hall.run("2", "b")])
    hall.holding.pause("a", None)
    hall.holding.put_runs([hall.run("3"), hall.run("4", "b")])
    assert hall.taken() == ["2", "4"]
    hall.holding.resume("a")
    assert hall.taken() == ["1", "3"]
    hall.holding.put_runs([hall.run("5")])
    assert hall.taken() == ["5"]


def test_what_is_aside_does_not_count_as_begun(hall: Hall) -> None:
    hall.holding.put_runs([hall.run("1")])
    hall.holding.pause("a", None)
    assert hall.cell.mailbox.open_trees == 0
    hall.holding.resume("a")
    assert hall.cell.mailbox.open_trees == 1


def test_the_one_that_is_spared_stays(hall: Hall) -> None:
    spared = hall.run("s")
    hall.holding.put_runs([spared, hall.run("1")])
    hall.holding.pause("a", spared)
    assert hall.taken() == ["s"]


def test_what_came_on_a_lost_connection_is_forgotten(hall: Hall) -> None:
    hall.holding.pause("a", None)
    hall.holding.put_runs([hall.run("old")])
    old, hall.cell.connection = hall.cell.connection, FakeConnection()
    hall.holding.put_runs([hall.run("new")])
    hall.holding.forget(old)  # type: ignore[arg-type]
    hall.holding.resume("a")
    assert hall.taken() == ["new"]
