"""A client of two buses: memory buses, either of which can be lost and come back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pykka
import pytest

from swarmage.abilities import ability
from swarmage.bus.memory import LISTENING
from swarmage.client import several
from swarmage.client.client import Client
from swarmage.client.dead_letters import DeadLetters
from swarmage.drone.drone import Drone
from swarmage.drone.worker import Worker
from swarmage.errors import (
    BusRefused,
    BusUnreachable,
    ConfigError,
    InsertTimeout,
    NotEncodable,
    SwarmageError,
    TaskCancelled,
    TaskFailed,
)
from swarmage.settings import Address
from swarmage.task import Task
from swarmage.testing.clock import AdvancingClock
from swarmage.testing.crashes import Crashes
from swarmage.testing.ledger import Ledger
from swarmage.testing.memory_bus import MemoryBus
from swarmage.wire.message import Message

from ..conftest import EmbeddedBus

SECONDS = 30.0


class Adder(Worker):
    @ability("add")
    def add(self, a: int, b: int) -> int:
        return a + b

    @ability("fail", retries=0)
    def fail(self) -> None:
        raise ValueError("on purpose")


class OneBus:
    """A bus that can be lost and come back with what it had stored."""

    def __init__(self, name: str) -> None:
        self.clock = AdvancingClock()
        self.ledger = Ledger()
        self.crashes = Crashes(lambda connection: None)
        self.url = f"memory://{name}"
        self._name = name
        self._bus = MemoryBus(name, self.clock, self.ledger, self.crashes)

    def lose(self) -> None:
        self._bus.stop()

    def come_back(self) -> None:
        self._bus.crash()
        LISTENING[self._name] = self._bus

    def tasks(self, client: Client) -> list[Task]:
        with self._bus.changed:
            return self.ledger.inserted(client.wire)


class Two:
    """Two buses, and who uses them; all of it ends with the test."""

    def __init__(self) -> None:
        self.a, self.b = OneBus("first"), OneBus("second")
        self._clients: list[Client] = []
        self._drones: list[pykka.ActorRef[Drone]] = []

    def client(self, timeout: float = 5.0, **settings: Any) -> Client:
        self._clients.append(Client(urls=[self.a.url, self.b.url], timeout=timeout, **settings))
        return self._clients[-1]

    def drone(self, bus: OneBus) -> pykka.ActorRef[Drone]:
        self._drones.append(Drone.start(workers=[Adder], url=bus.url, grace=5.0))
        return self._drones[-1]

    def end(self) -> None:
        for client in self._clients:
            client.close()
        for drone in self._drones:
            if drone.is_alive():
                drone.stop()
        self.a.lose()
        self.b.lose()


@pytest.fixture
def two(home: Path) -> Iterator[Two]:
    both = Two()
    yield both
    both.end()


def counts(two: Two, client: Client) -> tuple[int, int]:
    return len(two.a.tasks(client)), len(two.b.tasks(client))


def until_connected(client: Client, number: int) -> None:
    """Return when the client is connected to one of its buses."""
    assert client.several is not None
    client.connect()
    client.several.buses[number].connection(SECONDS)


def until_lost(client: Client, number: int) -> None:
    """Return when the client has noticed that one of its buses is lost."""
    assert client.several is not None
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            client.several.buses[number].connection(0)
        except SwarmageError:
            return
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def test_the_first_bus_that_is_there_gets_the_tasks(two: Two) -> None:
    client = two.client()
    for number in range(3):
        client.insert("add", number, 1)
    assert counts(two, client) == (3, 0)
    two.a.lose()
    until_lost(client, 0)
    for number in range(3):
        client.insert("add", number, 1)
    client.insert_many("add", [(1, 2)] * 5, reply=False)
    assert counts(two, client) == (3, 8)
    two.a.come_back()
    until_connected(client, 0)
    client.insert("add", 1, 1)
    assert counts(two, client) == (4, 8)


def test_a_bus_that_is_not_there_in_the_beginning_is_not_waited_for_long(two: Two) -> None:
    two.a.lose()
    client = two.client(timeout=SECONDS)
    began = time.monotonic()
    client.insert("add", 1, 2)
    assert time.monotonic() - began < 3.0
    assert counts(two, client) == (0, 1)
    two.a.come_back()
    until_connected(client, 0)
    client.insert("add", 1, 2)
    assert counts(two, client) == (1, 1)


def test_without_any_bus_the_error_names_all(two: Two) -> None:
    two.a.lose()
    two.b.lose()
    with pytest.raises(BusUnreachable, match=r"first.*second"):
        two.client(timeout=0.3).insert("add", 1, 2)


def test_a_bus_that_comes_while_a_task_is_waiting_gets_it(two: Two) -> None:
    two.a.lose()
    two.b.lose()
    client = two.client(timeout=SECONDS)
    done: list[str] = []
    inserting = threading.Thread(target=lambda: done.append(client.insert("add", 1, 2).id))
    inserting.start()
    two.b.come_back()
    inserting.join(SECONDS)
    assert done == [task.id for task in two.b.tasks(client)]


def test_what_is_in_doubt_goes_to_the_same_bus_again_when_that_is_back_in_time(two: Two) -> None:
    client = two.client(timeout=SECONDS)
    until_connected(client, 1)
    two.a.crashes.arm("after insert")  # the bus has it, and the connection ends before it says so
    reply = client.insert("add", 1, 2)
    assert two.a.crashes.happened == ["after insert"]
    assert {task.id for task in two.a.tasks(client)} == {reply.id}
    assert two.b.tasks(client) == []


def test_what_stays_in_doubt_goes_to_the_other_by_the_same_id_and_has_one_result(two: Two) -> None:
    client = two.client(timeout=2.0)
    until_connected(client, 1)
    take = two.a._bus.take

    def take_and_be_lost(link: Any, data: bytes) -> None:
        take(link, data)
        if b"destination:/queue/swarmage.task." in data:
            two.a.lose()
            raise OSError("the connection has ended before it was confirmed")

    two.a._bus.take = take_and_be_lost  # type: ignore[method-assign]
    reply = client.insert("add", 1, 2)
    assert [task.id for task in two.a.tasks(client)] == [task.id for task in two.b.tasks(client)] == [reply.id]
    two.a._bus.take = take  # type: ignore[method-assign]
    two.drone(two.b)
    assert reply.result(SECONDS) == 3
    two.a.come_back()
    two.drone(two.a)
    assert client.insert("add", 2, 2).result(SECONDS) == 4
    assert reply.result(0) == 3


def test_what_is_in_doubt_goes_to_one_that_was_away_when_the_first_stays_away(two: Two) -> None:
    two.b.lose()
    client = two.client(timeout=4.0)
    client.connect()
    take = two.a._bus.take

    def be_lost(link: Any, data: bytes) -> None:
        if b"destination:/queue/swarmage.task." in data:
            two.a.lose()
            two.b.come_back()
            raise OSError("the connection has ended")
        take(link, data)

    two.a._bus.take = be_lost  # type: ignore[method-assign]
    reply = client.insert("add", 1, 2)
    assert [task.id for task in two.b.tasks(client)] == [reply.id]


def test_of_a_batch_only_what_was_not_confirmed_goes_to_the_other(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swarmage.bus.publish.CHUNK", 1)  # a receipt for each task
    client = two.client(timeout=2.0)
    until_connected(client, 1)
    take, taken = two.a._bus.take, []

    def take_three(link: Any, data: bytes) -> None:
        if b"destination:/queue/swarmage.task." in data:
            if len(taken) == 3:
                two.a.lose()
                raise OSError("the connection has ended")
            taken.append(data)
        take(link, data)

    two.a._bus.take = take_three  # type: ignore[method-assign]
    replies = client.insert_many("add", [(number, 0) for number in range(8)])
    on_a, on_b = two.a.tasks(client), two.b.tasks(client)
    assert len(on_a) == 3
    assert {task.id for task in (*on_a, *on_b)} == {reply.id for reply in replies}


def test_a_bus_that_ends_each_connection_is_tried_once_more_and_no_oftener(two: Two) -> None:
    """As one does that refuses a task in the middle of many: the error names none of those that wait for a receipt."""
    client = two.client(timeout=SECONDS)
    until_connected(client, 1)
    take, tries = two.a._bus.take, []

    def refuse(link: Any, data: bytes) -> None:
        if b"destination:/queue/swarmage.task." in data:
            tries.append(data)
            two.a._bus.drop(link)
            raise OSError("the connection has ended")
        take(link, data)

    two.a._bus.take = refuse  # type: ignore[method-assign]
    replies = client.insert_many("add", [(number, 0) for number in range(8)])
    assert len(tries) == 2
    assert [task.id for task in two.b.tasks(client)] == [reply.id for reply in replies]


def test_spread_gives_to_all_in_turn_and_replies_come_from_all(two: Two) -> None:
    client = two.client(spread=True)
    two.drone(two.a)
    two.drone(two.b)
    singles = [client.insert("add", number, 0) for number in range(6)]
    assert counts(two, client) == (3, 3)
    many = client.insert_many("add", [(number, 0) for number in range(11)])
    assert sorted(counts(two, client)) == [8, 9]
    assert [reply.result(SECONDS) for reply in singles] == list(range(6))
    assert [reply.result(SECONDS) for reply in many] == list(range(11))
    two.a.lose()
    until_lost(client, 0)
    assert client.insert("add", 1, 2).result(SECONDS) == 3


def test_a_bus_that_refuses_is_passed_over(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    client = two.client()
    until_connected(client, 1)
    assert client.several is not None

    def full(message: Message) -> None:
        raise BusRefused("the bus is full")

    monkeypatch.setattr(client.several.buses[0].dialect, "check", full, raising=False)
    client.insert("add", 1, 2)
    assert counts(two, client) == (0, 1)


def test_what_no_bus_can_carry_is_refused_at_once(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    client = two.client(timeout=SECONDS)
    client.connect()
    assert client.several is not None

    def small(message: Message) -> None:
        raise NotEncodable("too large")

    two.b.lose()
    until_lost(client, 1)
    monkeypatch.setattr(client.several.buses[0].dialect, "check", small, raising=False)
    began = time.monotonic()
    with pytest.raises(NotEncodable, match="too large"):
        client.insert("add", 1, 2)
    assert time.monotonic() - began < SECONDS / 2


def test_what_may_be_there_after_all_is_said_first(two: Two) -> None:
    client = two.client(timeout=1.0)
    until_connected(client, 1)
    two.b.lose()
    until_lost(client, 1)
    take = two.a._bus.take

    def swallow(link: Any, data: bytes) -> None:
        if b"destination:/queue/swarmage.task." not in data:
            take(link, data)

    two.a._bus.take = swallow  # type: ignore[method-assign]
    with pytest.raises(InsertTimeout, match="may be there"):
        client.insert("add", 1, 2)


def test_a_task_for_a_key_is_refused(two: Two) -> None:
    with pytest.raises(ConfigError, match="state of its own for the key"):
        two.client().insert_task(Task(task_class="account.deposit", args=[1], key="alice"))


def test_the_status_of_all_is_one(two: Two) -> None:
    client = two.client(spread=True)
    client.insert_many("add", [(1, 2)] * 10, reply=False)
    client.pause("other")
    found = client.status()
    assert [queue["waiting"] for queue in found["queues"] if queue["task_class"] == "add"] == [10]
    assert [each["messages_waiting"] >= 5 for each in found["buses"]] == [True, True]
    assert found["bus"]["url"] == "memory://first memory://second"
    assert found["bus"]["messages_waiting"] == sum(each["messages_waiting"] for each in found["buses"])
    assert found["paused"] == ["other"]
    two.drone(two.a)
    two.drone(two.b)
    assert sorted(drone["bus"] for drone in client.status()["drones"]) == ["memory://first", "memory://second"]


def test_the_status_says_which_bus_does_not_answer(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several, "PATIENCE", 0.1)
    client = two.client(timeout=1.0)
    two.b.lose()
    there, lost = client.status()["buses"]
    assert "messages_waiting" in there
    assert (lost["url"], "no bus" in lost["error"]) == ("memory://second", True)
    two.a.lose()
    until_lost(client, 0)
    with pytest.raises(BusUnreachable):
        client.status()


def test_orders_stand_on_each_bus(two: Two) -> None:
    client = two.client(spread=True)
    client.pause("add")
    waiting = [client.insert("add", number, 0) for number in range(2)]
    client.cancel(*(reply.id for reply in waiting))
    client.resume("add")
    two.drone(two.a)
    two.drone(two.b)
    for reply in waiting:
        with pytest.raises(TaskFailed) as failed:
            reply.result(SECONDS)
        assert failed.value.kind == TaskCancelled.__name__


def test_an_order_that_one_bus_did_not_get_is_an_error_that_says_where_it_stands(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(several, "PATIENCE", 0.1)
    two.b.lose()
    client = two.client()
    with pytest.raises(BusUnreachable, match="it stands on memory://first"):
        client.pause("add")
    assert client.status()["paused"] == ["add"]


def test_a_drone_is_drained_on_whichever_bus_it_is(two: Two) -> None:
    client = two.client()
    two.drone(two.a)
    drone = two.drone(two.b)
    name = next(each["id"] for each in client.status()["drones"] if each["bus"] == two.b.url)
    assert client.drain(name)["id"] == name
    deadline = time.monotonic() + SECONDS
    while drone.is_alive():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def test_dead_letters_of_all_are_listed_and_go_back_to_the_bus_they_came_from(two: Two) -> None:
    client = two.client(spread=True)
    drones = [two.drone(two.a), two.drone(two.b)]
    failing = [client.insert("fail") for _ in range(4)]
    for reply in failing:
        with pytest.raises(TaskFailed):
            reply.result(SECONDS)
    for drone in drones:
        drone.stop()
    letters = DeadLetters(client)
    assert sorted(letter.id for letter in letters.all()) == sorted(reply.id for reply in failing)
    before = counts(two, client)
    assert sorted(letters.retry([reply.id for reply in failing])) == sorted(reply.id for reply in failing)
    assert counts(two, client) == (before[0] + 2, before[1] + 2)
    assert letters.all() == []
    assert letters.drop([failing[0].id]) == []


def test_a_bus_that_refuses_the_login_is_told_of_once_and_the_other_is_used(
    two: Two, embedded_bus: EmbeddedBus, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = Address(port=embedded_bus.address.port, login="ann", passcode="wrong").url
    with Client(urls=[wrong, two.a.url]) as client:
        client.insert("add", 1, 2)
        deadline = time.monotonic() + SECONDS
        while "refuses the login" not in caplog.text:
            assert time.monotonic() < deadline
            threading.Event().wait(0.01)
        client.insert_many("add", [(1, 2)] * 2)
        assert len(two.a.tasks(client)) == 3
    assert caplog.text.count("refuses the login") == 1


def test_when_all_refuse_the_login_that_is_the_error(home: Path, embedded_bus: EmbeddedBus) -> None:
    port = embedded_bus.address.port
    urls = [Address(port=port, login="ann", passcode=wrong).url for wrong in ("wrong", "worse")]
    with Client(urls=urls, timeout=SECONDS) as client, pytest.raises(SwarmageError, match="refuses the login"):
        client.insert("add", 1, 2)


def test_a_client_that_is_closed_early_leaves_no_thread_behind(two: Two) -> None:
    two.a.lose()
    before = set(threading.enumerate())
    client = two.client(timeout=0.3)
    client.insert("add", 1, 2)
    client.close()
    client.close()
    left = [each for each in set(threading.enumerate()) - before if each.name in {"reach", "bus"}]
    for thread in left:
        thread.join(SECONDS)
    assert [each.name for each in left if each.is_alive()] == []
    with pytest.raises(ConfigError, match="closed"):
        client.insert("add", 1, 2)


def test_buses_are_named_once_and_in_one_way(two: Two) -> None:
    with pytest.raises(ConfigError, match="named twice"):
        Client(urls=[two.a.url, two.a.url])
    with pytest.raises(ConfigError, match="given twice"):
        Client(two.a.url, urls=[two.b.url])
    with pytest.raises(ConfigError, match="empty"):
        Client(urls=[])


def test_one_text_may_name_several(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARMAGE_URL", f"{two.a.url} {two.b.url}")
    with Client() as client:
        assert client.several is not None
        assert [bus.address.url for bus in client.several.buses] == [two.a.url, two.b.url]
    with Client(urls=[two.a.url]) as client:
        assert client.several is None
