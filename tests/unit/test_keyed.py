"""A key's abilities, as who inserts sees them."""

from __future__ import annotations

from typing import Any

import pytest

from swarmage import ConfigError, KeyedWorker, Task, TaskFailed, Worker, ability
from swarmage.testing.swarm import Swarm

SECONDS = 30.0


class Box(KeyedWorker):
    @ability("box.put")
    def put(self, *items: int) -> int:
        self.state.setdefault("items", []).extend(items)
        return len(self.state["items"])


class Pusher(Worker):
    @ability("pusher.push", retries=0)
    def push(self) -> None:
        self.insert(Box.put, 1)


def test_a_key_of_a_class_is_one_that_has_its_abilities() -> None:
    key: Any = Box["a"]
    assert repr(key) == "Box['a']"
    assert repr(key.put) == "<ability box.put of 'a'>"
    assert key == Box["a"] != Box["b"]
    assert len({key, Box["a"]}) == 1
    assert (key.put.key, key.put.task_class) == ("a", "box.put")
    assert Box.put.key is None
    with pytest.raises(AttributeError, match="Box has no ability 'take'; it has put"):
        key.take  # noqa: B018


@pytest.mark.parametrize("key", ["", "k" * 201, 7, None, "half \ud800"])
def test_what_is_no_key_is_refused_at_once(key: Any) -> None:
    with pytest.raises(ConfigError, match=r"the key of a task box\. (must be a text of 1 to 200|holds half)"):
        Box[key]
    if key is not None:
        with pytest.raises(ConfigError, match=r"the key of a task box\.put"):
            Task(task_class="box.put", key=key)


def test_a_task_class_without_a_kind_has_no_keys() -> None:
    with pytest.raises(ConfigError, match="a task of class 'put' cannot have the key 'a'"):
        Task(task_class="put", key="a")


def test_an_ability_for_no_key_cannot_be_inserted(swarm: Swarm) -> None:
    said = r'Box\.put is an ability of a KeyedWorker: its tasks are for one key each, such as Box\["alice"\]\.put'
    with pytest.raises(ConfigError, match=said):
        swarm.client.insert(Box.put, 1)
    with pytest.raises(ConfigError, match=said):
        swarm.client.insert_many(Box.put, [1])
    swarm.start(Pusher)
    with pytest.raises(TaskFailed, match=said):
        swarm.insert("pusher.push").result(timeout=SECONDS)


def test_it_is_inserted_in_each_way(swarm: Swarm) -> None:
    swarm.start(Box)
    assert Box["ключ / 鍵\n"].put(1).result(timeout=SECONDS) == 1
    assert swarm.client.insert(Box["a"].put, 1, 2).result(timeout=SECONDS) == 2
    assert swarm.client.insert_task(Task(task_class="box.put", args=(1,), key="a")).result(timeout=SECONDS) == 3
    many = swarm.client.insert_many(Box["a"].put, [1, (2, 3), Task(task_class="box.put", args=(1,), key="b")])
    assert [reply.result(timeout=SECONDS) for reply in many] == [4, 6, 1]
    assert [task.key for task in swarm.inserted("box.put")][-3:] == ["a", "a", "b"]


def test_the_same_task_sent_twice_counts_once(swarm: Swarm) -> None:
    swarm.start(Box)
    task = Task(task_class="box.put", args=(1,), key="a")
    first = swarm.client.insert_task(task)
    assert first.result(timeout=SECONDS) == 1
    swarm.client.insert_task(task, reply=False)  # as after a connection that was lost before the receipt
    assert Box["a"].put(1).result(timeout=SECONDS) == 2
