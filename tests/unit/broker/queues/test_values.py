"""Values: a destination holds the last message sent to it."""

from __future__ import annotations

import pytest

from swarmage.broker.limits import Limits
from swarmage.broker.storage.sqlite_damage import StoreFull
from swarmage.broker.storage.store import Batch, Done, MemoryStore

from ..driver import Bus, Client, HeldStore

NAME = "/value/a"


def look(client: Client, name: str = NAME) -> list[bytes]:
    """Return what a look at a value shows."""
    client.subscribe(name, name="look", browser="true")
    shown = []
    while "browser" not in (frame := client.take()).headers:
        shown.append(frame.body)
    client.send("UNSUBSCRIBE", {"id": "look"})
    assert not client.frames
    return shown


def test_the_last_message_stays_and_nobody_takes_it(bus: Bus) -> None:
    client = bus.client()
    assert look(client) == []
    client.put(NAME, b"1")
    client.put(NAME, b"2")
    assert look(client) == look(client) == [b"2"]
    assert len(bus.store.messages) == 1  # type: ignore[attr-defined]


def test_an_empty_message_leaves_nothing(bus: Bus) -> None:
    client = bus.client()
    client.put(NAME, b"1")
    client.put(NAME)
    assert look(client) == []
    assert not bus.store.messages  # type: ignore[attr-defined]
    assert not bus.hub.router.values


def test_it_outlives_the_bus(bus: Bus) -> None:
    bus.client().put(NAME, b"1")
    bus.start()
    client = bus.client()
    assert look(client) == [b"1"]
    client.put(NAME, b"2")
    bus.start()
    assert look(bus.client()) == [b"2"]


def test_it_is_no_queue(bus: Bus) -> None:
    bus.client().put(NAME, b"1")
    assert not bus.hub.router.queues
    client = bus.client()
    client.subscribe(NAME)
    assert "can only be looked at" in client.error()


@pytest.mark.parametrize("header", ["delay", "expires", "priority", "persistent", "JMSXGroupID", "dedupe-id"])
def test_what_makes_no_sense_for_it_is_refused(bus: Bus, header: str) -> None:
    client = bus.client()
    client.send("SEND", {"destination": NAME, header: "1"}, b"1")
    assert "a value takes none of" in client.error()


def test_who_may_not_subscribe_to_it_does_not_see_it(bus: Bus) -> None:
    client = bus.client()
    client.subscribe("/value/", browser="true")
    assert "unknown destination" in client.error()


def test_a_transaction_sets_it_together_with_its_acks(bus: Bus) -> None:
    client = bus.client()
    client.put("/queue/tasks", b"task")
    client.subscribe("/queue/tasks", ack="client-individual")
    task = client.take()
    client.send("BEGIN", {"transaction": "t"})
    client.put(NAME, b"1", transaction="t")
    client.ack(task, transaction="t")
    assert look(client) == []
    client.send("COMMIT", {"transaction": "t"})
    assert look(client) == [b"1"]


def test_a_look_shows_what_was_sent_before_it_by_anybody() -> None:
    store = HeldStore()
    bus = Bus(store=store)
    writer, reader = bus.client(), bus.client()
    for body in (b"1", b"2", b"3"):  # the first is on its way to the disk, the others are collected
        writer.put(NAME, body)
    reader.subscribe(NAME, name="look", browser="true")
    assert not reader.frames
    while store.held:
        assert not reader.frames
        store.commit()
        bus.settle()
    assert [frame.body for frame in reader.frames] == [b"3", b""]
    assert len(store.messages) == 1


def test_a_look_that_has_ended_before_it_could_show_anything_shows_nothing() -> None:
    store = HeldStore()
    bus = Bus(store=store)
    client, gone = bus.client(), bus.client()
    client.put(NAME, b"1")
    client.subscribe(NAME, name="look", browser="true")
    gone.subscribe(NAME, name="look", browser="true")
    client.send("UNSUBSCRIBE", {"id": "look"})
    gone.lose()
    while store.held:
        store.commit()
        bus.settle()
    assert not client.frames
    assert not gone.frames


class FullStore(MemoryStore):
    """Takes no messages while `full` is set."""

    full = False

    def submit(self, batch: Batch, done: Done) -> None:
        if self.full and (batch.inserts or not batch):
            done(StoreFull("no room"))
        else:
            super().submit(batch, done)


def test_while_the_disk_is_full_the_old_one_stays() -> None:
    store = FullStore()
    bus = Bus(store=store)
    client, other = bus.client(), bus.client()
    client.put(NAME, b"1")
    store.full = True
    client.feed(b"".join(b"SEND\ndestination:%b\n\n%d\0" % (NAME.encode(), number) for number in (2, 3)))
    assert "no room" in client.error()
    assert look(other) == [b"1"]
    store.full = False
    bus.advance(1)
    other.put(NAME, b"4")
    assert look(other)[-1:] == [b"4"]
    bus.start()
    assert look(bus.client())[-1:] == [b"4"]


def test_its_bytes_count_once() -> None:
    bus = Bus(limits=Limits(stored_bytes=3_000))
    client = bus.client()
    for number in range(20):
        client.put(NAME, b"%d" % number * 400)
    assert look(client) == [b"19" * 400]
    client.put("/value/b", b"x" * 4_000)
    assert "max-bytes" in client.error()
