from __future__ import annotations

import pytest

from swarmage.broker.storage.store import Batch

from .driver import Bus, Client, HeldStore

SECONDS = 0.005


@pytest.fixture
def store() -> HeldStore:
    return HeldStore()


@pytest.fixture
def bus(store: HeldStore) -> Bus:
    bus = Bus(store=store)
    bus.hub.rest.seconds = SECONDS
    return bus


@pytest.fixture
def client(bus: Bus, store: HeldStore) -> Client:
    """Return a client that holds a message, of which all is stored."""
    client = bus.client()
    client.put("/queue/a", b"first")
    store.commit()
    client.subscribe("/queue/a", ack="client-individual", prefetch_count=1)
    bus.settle()
    assert not store.held
    return client


def written(store: HeldStore) -> list[tuple[int, int]]:
    """Return how many inserts and deletes each batch has that is on its way to the disk."""
    return [counted(batch) for batch, _ in store.held]


def counted(batch: Batch) -> tuple[int, int]:
    return len(batch.inserts), len(batch.deletes)


def test_an_ack_rests_and_is_stored_in_time(bus: Bus, store: HeldStore, client: Client) -> None:
    client.ack(client.take())
    assert not store.held
    assert bus.hub.next_due == bus.clock.now + SECONDS
    bus.clock.now += SECONDS
    bus.settle()
    assert written(store) == [(0, 1)]
    assert bus.hub.next_due is None


def test_the_next_message_comes_at_once(bus: Bus, store: HeldStore, client: Client) -> None:
    client.put("/queue/a", b"second")
    store.commit()
    bus.settle()
    client.ack(client.take())
    assert client.take().body == b"second"
    assert not store.held


def test_what_is_stored_next_takes_the_ack_along(bus: Bus, store: HeldStore, client: Client) -> None:
    client.ack(client.take())
    client.put("/queue/b")
    assert written(store) == [(1, 1)]
    store.commit()
    bus.clock.now += SECONDS
    bus.settle()
    assert not store.held
    assert bus.hub.next_due is None


def test_an_ack_that_somebody_waits_for_does_not_rest(bus: Bus, store: HeldStore, client: Client) -> None:
    client.ack(client.take(), receipt="r")
    assert written(store) == [(0, 1)]
    store.commit()
    bus.settle()
    assert client.take("RECEIPT").headers["receipt-id"] == "r"


def test_a_goodbye_waits_for_acks_that_rest(bus: Bus, store: HeldStore, client: Client) -> None:
    client.ack(client.take())
    client.send("DISCONNECT", {"receipt": "bye"})
    assert written(store) == [(0, 1)]
    store.commit()
    bus.settle()
    assert client.take("RECEIPT").headers["receipt-id"] == "bye"


def test_a_delivery_in_vain_does_not_rest(store: HeldStore, client: Client) -> None:
    client.lose()
    assert store.held[0][0].counts


def test_a_commit_that_runs_is_waited_for(bus: Bus, store: HeldStore, client: Client) -> None:
    client.put("/queue/b")
    client.ack(client.take())
    assert written(store) == [(1, 0)]
    assert bus.hub.next_due is None
    store.commit()
    bus.settle()
    assert bus.hub.next_due == bus.clock.now + SECONDS


def test_a_crash_meanwhile_costs_one_more_delivery_and_nothing_else(bus: Bus, client: Client) -> None:
    client.ack(client.take())
    bus.start()
    again = bus.client()
    again.subscribe("/queue/a", ack="client-individual")
    assert again.bodies() == [b"first"]


def test_nothing_rests_where_that_is_not_wanted(bus: Bus, store: HeldStore, client: Client) -> None:
    bus.hub.rest.seconds = 0.0
    client.ack(client.take())
    assert written(store) == [(0, 1)]
