"""A long queue: its head in memory, the rest in the store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from swarmage.broker.queues import lane
from swarmage.broker.storage import store

from ..driver import Bus, Client


@pytest.fixture(autouse=True)
def _short_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "HEAD", 10)


@pytest.fixture
def bus() -> Iterator[Bus]:
    return Bus()


def fill(bus: Bus, count: int, **headers: str | int) -> list[bytes]:
    sender = bus.client()
    bodies = [b"%d" % number for number in range(count)]
    for body in bodies:
        sender.put("/queue/a", body, **headers)
    return bodies


def in_memory(bus: Bus) -> int:
    return sum(len(lane) for lane in bus.hub.router.queue("/queue/a").waiting.lanes)


def take_all(client: Client, most: int) -> list[bytes]:
    """Acknowledge one by one, as long as something comes."""
    taken: list[bytes] = []
    while client.frames and len(taken) < most:
        frame = client.take()
        taken.append(frame.body)
        client.ack(frame)
    return taken


def test_only_the_head_is_in_memory_and_all_is_counted(bus: Bus) -> None:
    fill(bus, 100)
    assert in_memory(bus) == 10
    assert bus.hub.router.queue("/queue/a").waiting.count == 100


def test_a_long_queue_is_delivered_whole_and_in_order(bus: Bus) -> None:
    bodies = fill(bus, 100)
    client = bus.client()
    client.subscribe("/queue/a", ack="client-individual", prefetch_count=3)
    assert take_all(client, 1000) == bodies
    assert bus.hub.router.queue("/queue/a").waiting.count == 0


def test_a_long_queue_is_there_after_a_restart_and_nothing_of_it_is_in_memory(bus: Bus) -> None:
    bodies = fill(bus, 100)
    bus.start()
    assert in_memory(bus) == 0
    assert bus.hub.router.queue("/queue/a").waiting.count == 100
    client = bus.client()
    client.subscribe("/queue/a")
    assert client.bodies() == bodies


def test_a_page_is_as_large_as_what_is_missing_in_memory(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(bus, 100)
    bus.start()
    asked: list[int] = []
    read = bus.store.read
    monkeypatch.setattr(bus.store, "read", lambda page, done: (asked.append(page.most), read(page, done)))
    client = bus.client()
    client.subscribe("/queue/a", ack="client-individual", prefetch_count=6)
    assert asked == [10, 6]  # nothing was there; then six had gone at once
    client.ack(client.take())
    assert asked == [10, 6]
    client.ack(client.take())
    assert asked == [10, 6, 2]


def test_what_comes_while_a_queue_is_long_comes_behind_it(bus: Bus) -> None:
    bodies = fill(bus, 30)
    client = bus.client()
    client.subscribe("/queue/a", ack="client-individual", prefetch_count=1)
    taken = take_all(client, 12)
    fill(bus, 5)
    taken += take_all(client, 1000)
    assert taken == [*bodies, b"0", b"1", b"2", b"3", b"4"]


def test_what_is_given_back_comes_first_again(bus: Bus) -> None:
    bodies = fill(bus, 50)
    first, second = bus.client(), bus.client()
    first.subscribe("/queue/a", ack="client-individual", prefetch_count=25)
    assert first.bodies() == bodies[:25]
    first.lose()
    second.subscribe("/queue/a")
    assert second.bodies() == bodies


def test_a_higher_priority_that_is_still_in_the_store_is_waited_for(bus: Bus) -> None:
    low = fill(bus, 30, priority=1)
    high = fill(bus, 30, priority=8)
    bus.start()
    client = bus.client()
    client.subscribe("/queue/a")
    assert client.bodies() == high + low


def test_a_browser_sees_all_of_a_long_queue_and_takes_nothing(bus: Bus) -> None:
    bodies = fill(bus, 45)
    browser = bus.client()
    browser.subscribe("/queue/a", browser="true")
    *shown, end = [browser.take() for _ in list(browser.frames)]
    assert [frame.body for frame in shown] == bodies
    assert end.headers["browser"] == "end"
    client = bus.client()
    client.subscribe("/queue/a")
    assert client.bodies() == bodies


def test_messages_that_expire_in_a_long_queue_that_nobody_reads_leave_the_store(bus: Bus) -> None:
    fill(bus, 50, expires=int(bus.clock.wall() * 1000) + 1000)
    bus.start()
    bus.advance(120)
    assert bus.store.messages == {}  # type: ignore[attr-defined]
    assert "/queue/a" not in bus.hub.router.queues


def test_a_delayed_message_of_a_long_queue_is_released_once(bus: Bus) -> None:
    sender = bus.client()
    sender.put("/queue/a", b"late", delay=5000)
    bodies = fill(bus, 30)
    bus.start()
    bus.advance(6)
    client = bus.client()
    client.subscribe("/queue/a")
    assert sorted(client.bodies()) == sorted([*bodies, b"late"])


def test_many_bytes_are_a_long_queue_too(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "HEAD_BYTES", 100)
    sender = bus.client()
    for letter in b"abcdef":
        sender.put("/queue/a", bytes([letter]) * 60)
    assert in_memory(bus) == 2
    client = bus.client()
    client.subscribe("/queue/a")
    assert [body[:1] for body in client.bodies()] == [b"a", b"b", b"c", b"d", b"e", b"f"]


def test_what_was_held_back_does_not_overtake_what_is_still_in_the_store(bus: Bus) -> None:
    first = fill(bus, 15)
    bus.client().put("/queue/a", b"late", delay=1000)
    second = fill(bus, 15)
    bus.start()
    bus.advance(2)
    client = bus.client()
    client.subscribe("/queue/a", ack="client-individual", prefetch_count=1)
    assert take_all(client, 1000) == [*first, b"late", *second]


def test_many_messages_that_were_held_back_do_not_keep_the_store_from_being_read(bus: Bus) -> None:
    first = fill(bus, 15)
    late = fill(bus, 15, delay=1000)
    bus.start()
    bus.advance(2)
    client = bus.client()
    client.subscribe("/queue/a")
    assert client.bodies() == first + late


def test_a_store_in_memory_remembers_no_messages_that_are_done(monkeypatch: pytest.MonkeyPatch, bus: Bus) -> None:
    monkeypatch.setattr(store, "_FEW", 20)
    client, sender = bus.client(), bus.client()
    client.subscribe("/queue/a", ack="client-individual")
    sender.put("/queue/a", b"stays")
    client.take()
    for _ in range(300):
        sender.put("/queue/a", b"x")
        client.ack(client.take())
        sender.put("/queue/b", b"x", priority=7)
    other = bus.client()
    other.subscribe("/queue/b")
    assert len(other.bodies()) == 300
    assert isinstance(bus.store, store.MemoryStore)
    assert {key: len(numbers) <= 25 for key, numbers in bus.store._lanes.items()} == {("/queue/a", 4): True}
