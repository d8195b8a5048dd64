"""A whole swarm in one process, as users test with it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from swarmage.abilities import ability
from swarmage.client.client import Client
from swarmage.drone.worker import Worker
from swarmage.errors import BusUnreachable, ConfigError, ReplyTimeout, TaskFailed
from swarmage.task import Task
from swarmage.testing import swarm as swarms
from swarmage.testing.swarm import Swarm

from ..fakes import SECONDS

begun: SimpleQueue[str] = SimpleQueue()
gate = threading.Event()


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    gate.clear()
    while not begun.empty():
        begun.get()
    yield
    gate.set()


class Shop(Worker):
    concurrency = 2

    @ability("order")
    def order(self, what: str) -> str:
        self.insert("mail", f"you get {what}")
        return what.upper()

    @ability("mail")
    def mail(self, text: str) -> None:
        pass

    @ability("fail", retries=2, backoff=60)
    def fail(self) -> None:
        raise ValueError("no apples")

    @ability("hold")
    def hold(self, name: str) -> str:
        begun.put(name)
        gate.wait(SECONDS)
        return name

    @ability("outside")
    def outside(self) -> None:
        Client().insert("mail", "from a client of its own")


def test_a_task_goes_round_and_leaves_its_traces(swarm: Swarm) -> None:
    swarm.start(Shop)
    assert swarm.insert(Shop.order, "apples").result(SECONDS) == "APPLES"
    swarm.settle()
    assert [list(task.args) for task in swarm.inserted(Shop.mail)] == [["you get apples"]]
    assert [task.task_class for task in swarm.acked()] == ["order", "mail"]
    assert swarm.dead() == []


def test_code_under_test_finds_the_swarm_by_itself(swarm: Swarm) -> None:
    swarm.start(Shop)
    swarm.insert("outside").result(SECONDS)
    assert len(swarm.inserted("mail")) == 1


def test_without_a_drone_tasks_wait(swarm: Swarm) -> None:
    reply = swarm.insert("order", "pears")
    with pytest.raises(ReplyTimeout):
        reply.result(0.01)
    with pytest.raises(AssertionError, match=r"swarmage\.task\.order"):
        swarm.settle(0.01)
    swarm.start(Shop)
    assert reply.result(SECONDS) == "PEARS"


def test_time_is_the_tests(swarm: Swarm) -> None:
    swarm.start(Shop)
    reply = swarm.client.insert_task(Task(task_class="order", args=["plums"], delay=3600))
    swarm.settle()
    assert not reply.done
    swarm.advance(3601)
    assert reply.result(SECONDS) == "PLUMS"
    with pytest.raises(ConfigError, match="back"):
        swarm.advance(-1)


def test_drain_jumps_over_the_waits_of_retries(swarm: Swarm) -> None:
    swarm.start(Shop)
    reply = swarm.insert("fail")
    swarm.drain()
    with pytest.raises(TaskFailed, match="no apples"):
        reply.result(SECONDS)
    assert [task.attempt for task in swarm.retried("fail")] == [2, 3]
    assert len(swarm.inserted("fail")) == 1
    assert [letter.reason for letter in swarm.dead()] == ["failed"]


def test_a_drone_that_dies_before_its_ack_has_done_nothing(swarm: Swarm) -> None:
    swarm.start(Shop)
    swarm.start(Shop)
    swarm.crash_at("before ack")
    assert swarm.insert("order", "figs").result(SECONDS) == "FIGS"
    swarm.settle()
    assert swarm.crashes == ["before ack"]
    assert len(swarm.inserted("mail")) == 1


def test_a_drone_that_dies_after_its_ack_has_done_everything(swarm: Swarm) -> None:
    swarm.start(Shop)
    swarm.crash_at("after ack")
    assert swarm.insert("order", "figs").result(SECONDS) == "FIGS"
    assert swarm.crashes == ["after ack"]
    assert len(swarm.inserted("mail")) == len(swarm.acked("order")) == 1
    swarm.start(Shop)
    swarm.settle()
    assert len(swarm.acked("mail")) == 1


@pytest.mark.parametrize(("point", "times"), [("before insert", 1), ("after insert", 2)])
def test_a_client_repeats_an_insert_it_is_in_doubt_of(swarm: Swarm, point: Any, times: int) -> None:
    swarm.crash_at(point)
    reply = swarm.insert("order", "figs")
    assert [task.id for task in swarm.inserted("order")] == [reply.id] * times
    assert swarm.crashes == [point]


def test_the_tasks_of_a_drone_that_is_killed_go_to_another(swarm: Swarm) -> None:
    first = swarm.start(Shop)
    reply = swarm.insert("hold", "x")
    assert begun.get(timeout=SECONDS) == "x"
    swarm.start(Shop)
    swarm.crash_drone(first)
    assert begun.get(timeout=SECONDS) == "x"
    gate.set()
    assert reply.result(SECONDS) == "x"
    swarm.settle()
    assert len(swarm.acked("hold")) == 1
    with pytest.raises(ConfigError, match="no such drone"):
        swarm.crash_drone(first)


def test_a_bus_that_is_killed_comes_back_with_what_it_had_stored(swarm: Swarm) -> None:
    reply = swarm.insert("order", "figs")
    swarm.crash_bus()
    swarm.start(Shop)
    assert reply.result(SECONDS) == "FIGS"


def test_a_crash_point_that_is_none_is_named(swarm: Swarm) -> None:
    with pytest.raises(ConfigError, match="before ack"):
        swarm.crash_at("sometimes")  # type: ignore[arg-type]


def test_two_swarms_know_nothing_of_each_other_and_nothing_is_left(home: Path) -> None:
    before = dict(os.environ)
    with Swarm(Shop) as one, Swarm(Shop) as other:
        one.insert("order", "figs").result(SECONDS)
        assert other.inserted() == []
        url = other.url
    assert dict(os.environ) == before
    with pytest.raises(BusUnreachable, match="only a test"):
        Client(url, timeout=0.1).connect()


def test_a_task_that_hangs_leaves_nothing_of_its_swarm_behind(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swarms, "SECONDS", 0.2)
    before = dict(os.environ)
    with Swarm(Shop) as hanging:
        hanging.insert("hold", "for ever")
        assert begun.get(timeout=SECONDS) == "for ever"
    assert dict(os.environ) == before
    with pytest.raises(BusUnreachable, match="only a test"):
        Client(hanging.url, timeout=0.1).connect()
    assert not gate.is_set()
