from __future__ import annotations

import pytest

from swarmage.broker.storage.sqlite_damage import StoreFull

from .driver import Bus, Client, HeldStore


@pytest.fixture
def store() -> HeldStore:
    return HeldStore()


@pytest.fixture
def bus(store: HeldStore) -> Bus:
    return Bus(store=store)


def step(client: Client, name: str, ack: str, state: bytes) -> None:
    """Acknowledge a message and set a value, both or neither."""
    client.send("BEGIN", {"transaction": name})
    client.send("SEND", {"destination": "/value/state", "transaction": name}, state)
    client.send("ACK", {"id": ack, "transaction": name})
    client.send("COMMIT", {"transaction": name})


def fail(bus: Bus, store: HeldStore) -> None:
    """Let the disk be full for the batch that is on its way."""
    store.held.pop(0)[1](StoreFull("the disk is full"))
    bus.settle()


def commit_all(bus: Bus, store: HeldStore) -> None:
    while store.held:
        store.commit()
        bus.settle()


def test_what_goes_on_from_what_found_no_room_is_refused_with_it(bus: Bus, store: HeldStore) -> None:
    sender, worker = bus.client(), bus.client()
    for body in (b"first", b"second"):
        sender.put("/queue/a", body)
    commit_all(bus, store)
    worker.subscribe("/queue/a", ack="client-individual")
    first, second = worker.take(), worker.take()
    step(worker, "t1", first.headers["ack"], b"first")
    step(worker, "t2", second.headers["ack"], b"first, second")  # while the one before is on its way
    fail(bus, store)
    commit_all(bus, store)
    assert "full" in worker.error()
    assert [message.destination for message in store.messages.values()] == ["/queue/a", "/queue/a"]
    again = bus.client()
    again.subscribe("/queue/a", ack="client-individual")
    assert again.bodies() == [b"first", b"second"]


def test_what_others_sent_meanwhile_is_stored(bus: Bus, store: HeldStore) -> None:
    unlucky, other = bus.client(), bus.client()
    unlucky.put("/queue/a", b"1")
    other.put("/queue/a", b"2")
    fail(bus, store)
    commit_all(bus, store)
    assert "full" in unlucky.error()
    assert [message.body for message in store.messages.values()] == [b"2"]
