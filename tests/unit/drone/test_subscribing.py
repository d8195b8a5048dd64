from __future__ import annotations

import pytest

from swarmage.abilities import Ability
from swarmage.bus.dialects.activemq import ActiveMQDialect
from swarmage.drone.credit import ENOUGH, EXTRAS
from swarmage.drone.lane import Lane
from swarmage.drone.run import Run, Tree
from swarmage.drone.standing import Standing
from swarmage.drone.subscribing import Subscribing
from swarmage.settings import Address
from swarmage.task import Task

from ..fakes import FakeCell

FEW, SOME, _ = EXTRAS


class Taking:
    """A drone's subscriptions to the task classes a and b, with three workers and one."""

    def __init__(self) -> None:
        self.cell = FakeCell()
        abilities = {name: Ability(print, name, bound=False) for name in ("a", "b")}
        self.cell.mailbox.lanes |= {"a": Lane(), "b": Lane()}
        self.subscribing = Subscribing(self.cell.cell, abilities, {"a": 3, "b": 1}, Standing())
        self.subscribing.start()

    def frames(self) -> list[str]:
        """Return what was written since this was asked before."""
        return [
            " ".join([frame.command, frame.headers.get("id", ""), frame.headers.get("prefetch-count", "")]).strip()
            for frame in self.cell.connection.frames()
        ]

    def deliver(self, subscription: str, task_id: str, *, waits: bool = False) -> Run:
        """Bring a task of class a, which a worker begins unless it waits."""
        task = Task(task_class="a", id=task_id)
        delivery = self.cell.delivery(self.cell.wire.task(task), ack=task_id, subscription=subscription)
        run = Run(task, Tree(delivery, task))
        self.cell.mailbox.put_runs([run])
        if not waits:
            self.cell.mailbox.lanes["a"].bus.remove(run)
        return run

    def end(self, run: Run) -> None:
        self.cell.mailbox.end_runs([run])


@pytest.fixture
def taking() -> Taking:
    here = Taking()
    assert here.frames() == ["SUBSCRIBE task.a#1 3", "SUBSCRIBE task.b#2 1"]
    return here


def test_a_paused_class_is_dropped_and_what_is_not_begun_given_back(taking: Taking) -> None:
    taking.deliver("task.a#1", "begun")
    taking.deliver("task.a#1", "waits", waits=True)
    taking.subscribing.pause("a", "reason")
    assert taking.frames() == ["UNSUBSCRIBE task.a#1", "NACK waits"]
    assert taking.subscribing.paused == {"a": ["reason"]}
    taking.subscribing.tick()
    assert taking.frames() == []


def test_a_class_is_taken_again_when_the_last_reason_is_gone(taking: Taking) -> None:
    for reason in ("one", "other"):
        taking.subscribing.pause("a", reason)
    taking.frames()
    taking.subscribing.resume("a", "one")
    taking.subscribing.resume("a", "never given")
    assert taking.frames() == []
    taking.subscribing.resume("a", "other")
    taking.subscribing.resume("a", "other")
    assert taking.frames() == ["SUBSCRIBE task.a#3 3"]


def test_what_still_runs_counts_against_the_credit_until_it_ends(taking: Taking) -> None:
    old = [taking.deliver("task.a#1", task_id) for task_id in ("1", "2")]
    taking.subscribing.pause("a", "reason")
    taking.subscribing.resume("a", "reason")
    assert taking.frames()[-1] == "SUBSCRIBE task.a#3 1"
    taking.deliver("task.a#3", "3")
    taking.subscribing.tick()
    assert taking.frames() == []
    taking.end(old[0])
    taking.subscribing.tick()
    assert taking.frames() == ["SUBSCRIBE task.a#4 1"]
    taking.end(old[1])
    taking.subscribing.tick()
    assert taking.frames() == ["SUBSCRIBE task.a#5 1"]
    taking.subscribing.pause("a", "reason")
    assert taking.frames() == ["UNSUBSCRIBE task.a#3", "UNSUBSCRIBE task.a#4", "UNSUBSCRIBE task.a#5"]


def test_more_workers_are_one_more_subscription_and_fewer_are_a_new_one(taking: Taking) -> None:
    taking.subscribing.resize({"a": 5, "b": 1})
    assert taking.frames() == ["SUBSCRIBE task.a#3 2"]
    taking.deliver("task.a#1", "waits", waits=True)
    taking.subscribing.resize({"a": 2, "b": 1})
    assert taking.frames() == ["UNSUBSCRIBE task.a#1", "UNSUBSCRIBE task.a#3", "NACK waits", "SUBSCRIBE task.a#4 2"]
    taking.subscribing.pause("a", "reason")
    taking.frames()
    taking.subscribing.resize({"a": 4, "b": 1})
    assert taking.frames() == []
    taking.subscribing.resume("a", "reason")
    assert taking.frames() == ["SUBSCRIBE task.a#5 4"]


def test_quick_tasks_get_more_credit_and_a_pause_takes_it_away(taking: Taking) -> None:
    run = taking.deliver("task.a#1", "quick")
    taking.subscribing.observe([run] * ENOUGH)
    assert taking.frames() == ["SUBSCRIBE extra.1000.a 1000"]
    taking.subscribing.pause("a", "reason")
    assert taking.frames() == ["UNSUBSCRIBE task.a#1", "UNSUBSCRIBE extra.1000.a"]
    taking.subscribing.observe([run])
    assert taking.frames() == []


def test_tasks_that_turn_longer_give_up_a_part_of_it_and_give_back_what_waits(taking: Taking) -> None:
    run = taking.deliver("task.a#1", "quick")
    run.seconds = SOME.below / 2
    taking.subscribing.observe([run] * ENOUGH)
    assert taking.frames() == ["SUBSCRIBE extra.8.a 24"]
    taking.deliver("extra.8.a", "ahead", waits=True).extra = True
    taking.deliver("task.a#1", "first", waits=True)
    run.seconds = FEW.below
    taking.subscribing.observe([run] * ENOUGH * 3)
    assert taking.frames() == ["SUBSCRIBE extra.2.a 6", "UNSUBSCRIBE extra.8.a", "NACK ahead"]


def test_who_has_stopped_takes_nothing_again(taking: Taking) -> None:
    taking.subscribing.stop()
    assert taking.frames() == ["UNSUBSCRIBE task.a#1", "UNSUBSCRIBE task.b#2"]
    taking.subscribing.tick()
    taking.subscribing.resume("a", "ordered")
    taking.subscribing.resize({"a": 5, "b": 5})
    assert taking.frames() == []


def test_where_nothing_is_given_back_more_is_taken_ahead_of_the_workers_only_if_the_url_says_so() -> None:
    cell = FakeCell()
    cell.cell.bus.dialect = ActiveMQDialect()
    cell.cell.bus.address = Address.parse("stomp://bus?ahead=100")
    cell.mailbox.lanes["a"] = Lane()
    subscribing = Subscribing(cell.cell, {"a": Ability(print, "a", bound=False)}, {"a": 3}, Standing())
    subscribing.start()
    subscribing.resize({"a": 5})
    sizes = [frame.headers["activemq.prefetchSize"] for frame in cell.connection.frames()]
    assert sizes == ["103", "2"]
