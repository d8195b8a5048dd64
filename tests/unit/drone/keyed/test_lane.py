"""The lane of one kind: of each key one run at a time, in order."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from swarmage.bus.delivery import Delivery
from swarmage.drone.keyed.lane import KeyedLane
from swarmage.drone.run import Run, Tree
from swarmage.outcome import Failed, Failure
from swarmage.task import Task
from swarmage.wire.message import Message

SAVED = Message("/value/a", b"state", "")


def run_of(key: str, number: int = 0) -> Run:
    task = Task(task_class="a.b", key=key, args=(number,))
    connection = cast("Any", SimpleNamespace(lost=False))
    return Run(task, Tree(Delivery(connection, {"JMSXGroupID": key}, b""), task))


@pytest.fixture
def lane() -> KeyedLane:
    return KeyedLane(idle=60, most=2)


def put(lane: KeyedLane, *keys: str) -> list[Run]:
    runs = [run_of(key, number) for number, key in enumerate(keys)]
    for run in runs:
        lane.bus.append(run)
    return runs


def test_one_run_of_each_key_may_be_begun(lane: KeyedLane) -> None:
    a1, b1, a2, b2 = put(lane, "a", "b", "a", "b")
    assert [lane.bus.popleft(), lane.bus.popleft()] == [a1, b1]
    assert not lane.bus
    lane.settle(b1.tree, [], now=1.0)
    assert lane.bus.popleft() is b2
    lane.settle(a1.tree, [], now=2.0)
    assert lane.bus.popleft() is a2


def test_what_is_taken_out_lets_the_next_of_its_key_be_begun(lane: KeyedLane) -> None:
    a1, b1, a2, a3 = put(lane, "a", "b", "a", "a")
    assert list(lane.bus) == [a1, b1, a2, a3]
    assert lane.remove(lambda run: run in {a1, a3}) == [a1, a3]
    assert {lane.bus.popleft(), lane.bus.popleft()} == {a2, b1}
    lane.settle(a2.tree, [], now=1.0)
    assert not lane.bus


def test_all_that_nobody_has_begun_is_taken_out_at_once(lane: KeyedLane) -> None:
    a1, _, _ = put(lane, "a", "a", "b")
    assert lane.bus.popleft() is a1
    lane.bus.clear()
    assert list(lane.bus) == []
    lane.settle(a1.tree, [], now=1.0)
    assert not lane.bus
    assert not lane.keys["b"].busy


def test_an_actor_stays_only_if_what_it_is_was_sent(lane: KeyedLane) -> None:
    for sent, ending, stays in (([SAVED], None, True), ([], None, False), ([SAVED], Failed(Failure("E", "e")), False)):
        [run] = put(lane, "a")
        key = lane.keys["a"]
        key.actor, key.version, key.unsaved = object(), 3, (SAVED, b"digest")
        run.tree.ending = ending
        lane.bus.popleft()
        lane.settle(run.tree, sent, now=1.0)
        assert ("a" in lane.keys) == stays
        if stays:
            assert (key.version, key.digest, key.unsaved) == (4, b"digest", None)
            del lane.keys["a"]


def test_idle_actors_leave_and_busy_ones_stay(lane: KeyedLane) -> None:
    for now, name in enumerate("abcd"):
        [run] = put(lane, name)
        lane.bus.popleft()
        lane.keys[name].actor = object()
        lane.settle(run.tree, [], now=float(now))
    put(lane, "a")
    assert lane.passivate(4.0) == 2  # more than may stay, those that were idle longest
    assert list(lane.keys) == ["a", "d"]
    assert lane.passivate(62.0) == 0
    assert lane.passivate(63.5) == 1
    assert list(lane.keys) == ["a"]


def test_an_actor_that_somebody_else_may_have_had_does_not_stay(lane: KeyedLane) -> None:
    [run] = put(lane, "a")
    lane.bus.popleft()
    lane.keys["a"].actor = object()
    lane.keys["a"].stale = True
    lane.settle(run.tree, [], now=1.0)
    assert "a" not in lane.keys
