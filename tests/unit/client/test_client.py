from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest

from swarmage.abilities import Ability, ability
from swarmage.broker.entrance import door
from swarmage.client import client as module
from swarmage.client.client import Client
from swarmage.errors import BusUnreachable, ConfigError, ConnectionLost, LoginRefused, NotEncodable, SwarmageError
from swarmage.task import Task
from swarmage.wire import codec
from swarmage.wire.message import Message

from ..conftest import EmbeddedBus
from ..fakes import SECONDS, FakeClock


class Painter:
    @ability("paint.wall")
    def wall(self, colour: str) -> Path:
        return Path(colour)


class Recording(Client):
    """A client whose bus keeps what is published."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> None:
        super().__init__("stomp://bus", clock=clock)
        self.batches: list[list[Message]] = []
        monkeypatch.setattr(module, "publish", lambda _, messages, *__: self.batches.append(list(messages)))
        monkeypatch.setattr(module, "Pipeline", lambda *_: nullcontext(SimpleNamespace(put=self.batches.append)))

    def connect(self) -> Any:
        return self.bus

    def tasks(self) -> list[Task]:
        messages = [message for batch in self.batches for message in batch]
        return [self.wire.read_task(each.destination, each.body, each.signature) for each in messages]


@pytest.fixture
def recording(home: Path, monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> Recording:
    return Recording(monkeypatch, clock)


def test_a_task_is_inserted_by_the_name_of_its_class(recording: Recording) -> None:
    reply = recording.insert("text.census", "/usr", 3, deep=True)
    [task] = recording.tasks()
    assert (task.task_class, list(task.args), task.kwargs) == ("text.census", ["/usr", 3], {"deep": True})
    assert (task.id, task.issued, task.attempt) == (reply.id, recording.clock.wall(), 1)
    assert task.originator is not None
    assert task.originator.startswith("/queue/swarmage.reply.")


def test_a_task_is_inserted_by_its_ability_and_its_reply_is_what_that_announces(recording: Recording) -> None:
    reply = recording.insert(Painter.wall, "red")
    assert recording.tasks()[0].task_class == "paint.wall"
    assert reply._kind is Path


def test_a_task_class_that_cannot_be_is_refused_before_anything_is_sent(recording: Recording) -> None:
    for wrong in ("a b", "", 3, len):
        with pytest.raises(ConfigError):
            recording.insert(wrong)  # type: ignore[call-overload]
    assert recording.batches == []


@pytest.mark.parametrize("name", ["ability", "self", "task", "reply"])
def test_an_argument_may_have_any_name(recording: Recording, name: str) -> None:
    recording.insert("a", **{name: 1})
    assert recording.tasks()[0].kwargs == {name: 1}


@pytest.mark.parametrize(
    ("item", "args", "kwargs"),
    [
        ((1, "a"), [1, "a"], {}),
        ((), [], {}),
        ({"x": 1}, [], {"x": 1}),
        ("word", ["word"], {}),
        (7, [7], {}),
        (None, [None], {}),
        ([1, 2], [[1, 2]], {}),
        (Task(task_class="a", args=(1,), kwargs={"b": 2}, id="given"), [1], {"b": 2}),
    ],
    ids=repr,
)
def test_an_item_of_many_is_arguments_in_the_form_at_hand(
    recording: Recording, item: Any, args: list[Any], kwargs: dict[str, Any]
) -> None:
    recording.insert_many("a", [item])
    [task] = recording.tasks()
    assert (task.task_class, list(task.args), dict(task.kwargs)) == ("a", args, kwargs)


def test_a_task_among_the_items_keeps_its_settings(recording: Recording) -> None:
    given = Task(task_class="other", id="mine", delay=2.0, priority=9, expires=3.0)
    [reply] = recording.insert_many("a", [given])
    [task] = recording.tasks()
    assert (task.task_class, task.id, task.delay, task.priority, task.expires) == ("other", "mine", 2.0, 9, 3.0)
    assert (reply.id, reply.task_class) == ("mine", "other")


def test_many_tasks_are_sent_in_batches_in_order(recording: Recording) -> None:
    replies = recording.insert_many("a", iter(range(module.BATCH * 2 + 1)))
    assert [len(batch) for batch in recording.batches] == [module.BATCH, module.BATCH, 1]
    tasks = recording.tasks()
    assert [task.args[0] for task in tasks] == list(range(module.BATCH * 2 + 1))
    assert [reply.id for reply in replies] == [task.id for task in tasks]
    assert len({task.id for task in tasks}) == len(tasks)


def test_no_items_are_no_tasks(recording: Recording) -> None:
    assert recording.insert_many("a", []) == []
    assert recording.batches == []


def test_without_reply_nobody_is_named_who_wants_one(recording: Recording) -> None:
    [reply] = recording.insert_many("a", [1], reply=False)
    other = recording.insert_task(Task(task_class="a"), reply=False)
    assert [task.originator for task in recording.tasks()] == [None, None]
    for each in (reply, other):
        with pytest.raises(ConfigError, match="reply=False"):
            each.result(0)


def test_arguments_beyond_json_are_pickled(recording: Recording) -> None:
    recording.insert("a", math.nan, {1: {2}})
    task = recording.tasks()[0]
    assert task.pickled is not None
    (value, mapping), _ = codec.unpickle(task.pickled)
    assert math.isnan(value)
    assert mapping == {1: {2}}


def test_what_cannot_be_carried_is_refused(recording: Recording) -> None:
    with pytest.raises(NotEncodable, match="task a"):
        recording.insert("a", (x for x in ()))


@pytest.mark.parametrize("timeout", [0, -1, math.nan])
def test_a_client_needs_a_deadline(home: Path, timeout: float) -> None:
    with pytest.raises(ConfigError, match="timeout"):
        Client("stomp://bus", timeout=timeout)


def test_a_client_is_told_where_the_bus_is(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(hostname="message.bus.hostname", login="foo", passcode="bar")
    assert (client.address.host, client.address.port) == ("message.bus.hostname", 61613)
    assert (client.address.login, client.address.passcode) == ("foo", "bar")
    monkeypatch.setenv("SWARMAGE_URL", "stomp://elsewhere:1")
    assert Client().address.host == "elsewhere"
    assert Client("stomp://here:2").address.host == "here"


def test_without_a_bus_an_insert_says_so_and_the_client_can_be_closed(home: Path) -> None:
    with Client("stomp://ann:s3cret@127.0.0.1:1", timeout=0.05) as client:
        with pytest.raises(BusUnreachable) as caught:
            client.insert("a")
    assert "s3cret" not in str(caught.value)


def test_a_wrong_passcode_is_told_at_once(embedded_bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "FIRST_DELAY", 0.05)
    address = embedded_bus.address
    with Client(hostname=address.host, port=address.port, login="ann", passcode="wr0ng") as client:
        with pytest.raises(LoginRefused) as caught:
            client.insert("a")
    assert "wr0ng" not in str(caught.value)


@pytest.fixture
def client(embedded_bus: EmbeddedBus) -> Iterator[Client]:
    with Client(embedded_bus.url) as here:
        yield here


def test_an_insert_returns_when_the_bus_has_the_task(client: Client) -> None:
    client.insert("a", 1)
    client.insert_many("a", range(10), reply=False)
    client.insert_task(Task(task_class="a", delay=60.0))
    figures = client.status()
    [queue] = [queue for queue in figures["queues"] if queue["task_class"] == "a"]
    assert queue["waiting"] + queue["delayed"] == 12
    assert figures["drones"] == []
    assert "s3cret" not in str(figures)


def test_a_closed_client_is_closed_for_good_and_tells_whoever_waits(client: Client) -> None:
    reply = client.insert("a", 1)
    failed: SimpleQueue[BaseException] = SimpleQueue()

    def wait() -> None:
        try:
            reply.result(600)
        except SwarmageError as error:
            failed.put(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    client.close()
    client.close()
    assert isinstance(failed.get(timeout=SECONDS), ConnectionLost)
    waiting.join(SECONDS)
    with pytest.raises(ConfigError, match="closed"):
        client.insert("a", 2)


def test_an_ability_of_a_plain_function_announces_its_result(recording: Recording) -> None:
    def double(x: int) -> int:
        return 2 * x

    assert recording.insert(Ability(double, "double", bound=False), 3)._kind is int
