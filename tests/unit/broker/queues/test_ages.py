from __future__ import annotations

import json
import random

import pytest

from swarmage.broker.queues.ages import MOST, Ages
from swarmage.broker.storage.sqlite_damage import StoreFull

from ...seeds import SEED
from ..driver import Bus, HeldStore


def age(bus: Bus, queue: str = "/queue/a") -> float | None:
    """Ask the bus how old a queue's oldest message is."""
    client = bus.client()
    client.put("/bus/statistics", reply_to="/temp-queue/me")
    found: dict[str, float | None] = {
        each["name"]: each["oldest_age"] for each in json.loads(client.take().body)["queues"]
    }
    return found[queue]


def test_the_age_of_a_queue_is_that_of_its_oldest_message(bus: Bus) -> None:
    client = bus.client()
    bus.advance(3_600)
    client.put("/queue/a", b"1")
    client.put("/queue/b", b"1", persistent="false")
    bus.advance(10)
    client.put("/queue/a", b"2")
    bus.advance(5)
    assert age(bus) == pytest.approx(15, abs=0.3)
    assert age(bus, "/queue/b") == pytest.approx(15, abs=0.3)
    client.subscribe("/queue/a", ack="client-individual")
    first = client.take()
    assert age(bus) == pytest.approx(15, abs=0.3)  # delivered and not acked
    client.ack(first)
    assert age(bus) == pytest.approx(5, abs=0.3)
    client.ack(client.take())
    assert age(bus) is None


def test_a_delayed_message_has_no_age_before_it_is_due(bus: Bus) -> None:
    bus.client().put("/queue/a", b"1", delay=10_000)
    bus.advance(9)
    assert age(bus) is None
    bus.advance(2)
    assert age(bus) == pytest.approx(11, abs=0.3)


def test_an_age_outlives_the_bus(bus: Bus) -> None:
    client = bus.client()
    bus.advance(100)
    client.put("/queue/a", b"1")
    bus.advance(50)
    client.put("/queue/b", b"1")
    bus.advance(50)
    bus.start()
    bus.advance(7)
    bus.client().put("/queue/c", b"1")
    assert age(bus) == pytest.approx(107, abs=0.3)
    assert age(bus, "/queue/b") == pytest.approx(57, abs=0.3)
    assert age(bus, "/queue/c") == pytest.approx(0, abs=0.3)


def test_times_that_a_full_disk_did_not_take_are_stored_later() -> None:
    store = HeldStore()
    bus = Bus(store=store)
    client = bus.client()
    bus.advance(60)
    client.put("/queue/a", b"1")
    store.held.pop(0)[1](StoreFull("full"))
    bus.settle()
    while store.held:
        store.commit()
        bus.settle()
    bus.advance(1)
    while store.held:
        store.commit()
        bus.settle()
    bus.client().put("/queue/a", b"2")
    store.commit()
    bus.advance(20)
    bus.start()
    assert age(bus) == pytest.approx(20, abs=0.3)


def test_times_from_before_the_oldest_message_are_dropped(bus: Bus) -> None:
    client = bus.client()
    client.subscribe("/queue/a")
    for _ in range(MOST + 100):
        client.put("/queue/a", b"x")
        bus.clock.now += 1
        bus.hub.tick()
        bus.settle()
    client.put("/queue/b", b"x")
    assert len(bus.store.noted.times) < 200  # type: ignore[attr-defined]
    bus.advance(2)
    bus.start()
    bus.client().put("/queue/a", b"x")
    assert len(bus.store.noted.times) < 5  # type: ignore[attr-defined]


def test_many_times_are_thinned_and_stay_nearly_right() -> None:
    rng = random.Random(SEED)
    ages, now, given = Ages(), 0, {}
    for number in range(2, 60_000, 2):
        now += rng.randrange(1_000, 3_000)
        ages.tick(number, now)
        given[number + 1] = now
        ages.tick(number + 2, now)
        if ages.crowded:
            ages.thin(1)
    assert len(ages._numbers) <= MOST
    for number, at in given.items():
        since = ages.since(number)
        assert since is not None
        assert 0 <= at - since <= 6_000 + (now - at) / 200, number


def test_what_is_stored_is_what_is_known() -> None:
    ages, stored = Ages(), {}
    for number in range(3, 30_000, 3):
        ages.tick(number, number * 1_000)
        if ages.crowded:
            ages.thin(1)
        if number % 300 == 0 and ages.pending:
            rows, past = ages.to_store()
            for gone in past:
                del stored[gone]
            stored |= {row.number: row for row in rows}
    again = Ages()
    again.load(stored.values())
    assert len(stored) <= MOST
    for number in range(1, 30_000 - 300, 7):
        assert again.since(number) == ages.since(number)


def test_a_clock_that_is_set_back_gives_no_negative_age(bus: Bus) -> None:
    bus.client().put("/queue/a", b"1")
    bus.clock.epoch -= 1_000
    bus.advance(1)
    assert age(bus) == 0
    bus.client().put("/queue/b", b"1")
    bus.advance(5)
    assert age(bus, "/queue/b") == pytest.approx(5, abs=0.3)
