from __future__ import annotations

import logging

import pytest

from swarmage.broker.limits import Limits
from swarmage.broker.storage.sqlite_damage import StoreFull

from ..driver import Bus, Client, HeldStore


class FailingStore(HeldStore):
    """Commits, or has no room, when the test says so."""

    def fail(self) -> None:
        self.held.pop(0)[1](StoreFull("the disk of /data is full"))


@pytest.fixture
def held() -> FailingStore:
    return FailingStore()


def bodies(bus: Bus, destination: str = "/queue/a") -> list[bytes]:
    """Take all that waits."""
    client = bus.client()
    client.subscribe(destination)
    return client.bodies()


def receipts(client: Client) -> list[str]:
    return [client.take("RECEIPT").headers["receipt-id"] for _ in list(client.frames)]


@pytest.mark.parametrize("header", ["dedupe-id", "_AMQ_DUPL_ID"])
def test_what_is_sent_twice_gets_in_once_and_is_confirmed_twice(bus: Bus, header: str) -> None:
    client = bus.client()
    for receipt in ("1", "2"):
        client.send("SEND", {"destination": "/queue/a", header: "x", "receipt": receipt}, receipt.encode())
    client.put("/queue/b", b"other queue", **{"dedupe-id": "x"})
    client.put("a", b"same queue", dedupe_id="x")
    assert receipts(client) == ["1", "2"]
    assert (bodies(bus), bodies(bus, "/queue/b")) == ([b"1"], [b"other queue"])


def test_the_window_ends_and_begins_anew(bus: Bus) -> None:
    client = bus.client()
    client.put("/queue/a", b"1", dedupe_id="x")
    bus.advance(119.5)
    client.put("/queue/a", b"2", dedupe_id="x")
    bus.advance(0.5)
    client.put("/queue/a", b"3", dedupe_id="x")
    bus.advance(119.5)
    client.put("/queue/a", b"4", dedupe_id="x")
    assert bodies(bus) == [b"1", b"3"]


def test_an_id_outlives_the_bus_with_its_message_and_no_longer_than_the_window(bus: Bus) -> None:
    bus.client().put("/queue/a", b"1", dedupe_id="x")
    bus.advance(60)
    bus.start()
    bus.client().put("/queue/a", b"2", dedupe_id="x")
    bus.advance(59.5)
    bus.start()
    bus.client().put("/queue/a", b"3", dedupe_id="x")
    bus.advance(1)
    bus.start()
    bus.client().put("/queue/a", b"4", dedupe_id="x")
    assert bodies(bus) == [b"1", b"4"]
    bus.advance(121)
    bus.client().put("/queue/a", b"5")
    assert bus.store.noted.seen == {}  # type: ignore[attr-defined]


def test_an_id_is_remembered_after_the_message_is_acked(bus: Bus) -> None:
    client = bus.client()
    client.subscribe("/queue/a")
    client.put("/queue/a", b"1", dedupe_id="x")
    bus.start()
    client = bus.client()
    client.subscribe("/queue/a")
    client.put("/queue/a", b"1", dedupe_id="x")
    assert client.frames == []


@pytest.mark.parametrize("more", [{"delay": "1000"}, {"persistent": "false"}], ids=["delayed", "not stored"])
def test_delayed_messages_and_those_that_are_not_stored_get_in_once_too(bus: Bus, more: dict[str, str]) -> None:
    client = bus.client()
    client.subscribe("/queue/a")
    client.put("/queue/a", b"1", dedupe_id="x", **more)
    client.put("/queue/a", b"2", dedupe_id="x", **more)
    bus.advance(2)
    assert client.bodies() == [b"1"]


def test_the_id_of_a_message_that_is_not_stored_is_forgotten_with_it(bus: Bus) -> None:
    bus.client().put("/queue/a", b"1", dedupe_id="x", persistent="false")
    bus.start()
    bus.client().put("/queue/a", b"2", dedupe_id="x")
    assert bodies(bus) == [b"2"]


def test_topics_have_each_id_once_for_everybody(bus: Bus) -> None:
    client = bus.client()
    client.subscribe("/topic/*", "plain")
    client.send("SUBSCRIBE", {"destination": "/topic/a", "id": "d", "durable": "true"})
    for _ in range(2):
        client.put("/topic/a", b"x", dedupe_id="1")
    assert client.bodies() == [b"x", b"x"]
    bus.start()
    client = bus.client()
    client.send("SUBSCRIBE", {"destination": "/topic/a", "id": "d", "durable": "true"})
    client.put("/topic/a", b"x", dedupe_id="1")
    assert client.frames == []


def test_an_aborted_transaction_leaves_no_id_and_a_committed_one_each_once(bus: Bus) -> None:
    client = bus.client()
    client.send("BEGIN", {"transaction": "t"})
    client.put("/queue/a", b"1", dedupe_id="x", transaction="t")
    client.send("ABORT", {"transaction": "t"})
    client.send("BEGIN", {"transaction": "t"})
    client.put("/queue/a", b"2", dedupe_id="x", transaction="t")
    client.put("/queue/a", b"3", dedupe_id="x", transaction="t")
    client.put("/queue/a", b"4", dedupe_id="x")
    client.send("COMMIT", {"transaction": "t"})
    assert bodies(bus) == [b"4"]


def test_the_receipt_of_the_second_waits_for_the_first_in_the_same_batch(held: FailingStore) -> None:
    bus = Bus(store=held)
    first, second = bus.client(), bus.client()
    first.session.receive(b"SEND\ndestination:/queue/a\ndedupe-id:x\nreceipt:1\n\n1\0")
    second.put("/queue/a", b"2", dedupe_id="x", receipt="2")
    assert second.frames == []
    held.commit()
    bus.settle()
    assert (receipts(first), receipts(second)) == (["1"], ["2"])
    assert bodies(bus) == [b"1"]


def test_the_receipt_of_the_second_waits_for_the_first_in_the_batch_before(held: FailingStore) -> None:
    bus = Bus(store=held, limits=Limits(queue_messages=2))
    first, second = bus.client(), bus.client()
    first.put("/queue/a", b"1", dedupe_id="x", receipt="1")
    second.put("/queue/a", b"2", dedupe_id="x", receipt="2")
    assert second.frames == []
    held.commit()
    bus.settle()
    assert (receipts(first), receipts(second)) == (["1"], ["2"])
    assert held.held == []
    second.put("/queue/a", b"3", receipt="3")  # for which there is room: what was dropped is not counted
    held.commit()
    bus.settle()
    assert receipts(second) == ["3"]
    assert bodies(bus) == [b"1", b"3"]


def test_when_the_first_is_refused_the_second_gets_in(held: FailingStore) -> None:
    bus = Bus(store=held)
    first, second, third = bus.client(), bus.client(), bus.client()
    first.put("/queue/a", b"1", dedupe_id="x", receipt="1")
    second.put("/queue/a", b"2", dedupe_id="x", receipt="2")
    third.put("/queue/a", b"3", dedupe_id="x", receipt="3")
    held.fail()
    bus.settle()
    assert "full" in first.error()
    assert (second.frames, third.frames) == ([], [])
    while held.held:
        held.commit()
        bus.settle()
    assert (receipts(second), receipts(third)) == (["2"], ["3"])
    assert [message.body for message in held.messages.values()] == [b"2"]
    assert [row.key for row in held.noted.seen.values()] == [row.key for row in held.noted.seen.values()][:1]
    bus.start()
    bus.client().put("/queue/a", b"4", dedupe_id="x")
    assert held.held == []


def test_a_transaction_whose_id_was_on_its_way_loses_no_ack_when_the_disk_is_full(held: FailingStore) -> None:
    bus = Bus(store=held)
    worker, sender = bus.client(), bus.client()
    worker.put("/queue/tasks", b"task")
    held.commit()
    worker.subscribe("/queue/tasks", ack="client-individual")
    task = worker.take()
    sender.put("/queue/a", b"result", dedupe_id="x")
    worker.send("BEGIN", {"transaction": "t"})
    worker.put("/queue/a", b"result", dedupe_id="x", transaction="t")
    worker.ack(task, transaction="t")
    worker.send("COMMIT", {"transaction": "t", "receipt": "r"})
    held.fail()
    bus.settle()
    held.fail()
    bus.settle()
    while held.held:
        held.commit()
        bus.settle()
    assert "full" in worker.error()
    assert [message.body for message in held.messages.values()] == [b"task"]
    assert held.noted.seen == {}
    assert bodies(bus, "/queue/tasks") == [b"task"]


def test_a_full_queue_takes_what_it_has_already() -> None:
    bus = Bus(limits=Limits(queue_messages=1))
    client = bus.client()
    client.put("/queue/a", b"1", dedupe_id="x", receipt="1")
    client.put("/queue/a", b"1", dedupe_id="x", receipt="2")
    assert receipts(client) == ["1", "2"]
    client.put("/queue/a", b"2", dedupe_id="y")
    assert "full" in client.error()


def test_too_many_ids_are_forgotten_oldest_first_with_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    bus = Bus(limits=Limits(dedupe_ids=4))
    client = bus.client()
    with caplog.at_level(logging.WARNING):
        for number in range(6):
            client.put("/queue/a", b"%d" % number, dedupe_id=number)
    assert [record.event for record in caplog.records] == ["dedupe_full"]  # type: ignore[attr-defined]
    client.put("/queue/a", b"again", dedupe_id=0)
    client.put("/queue/a", b"never", dedupe_id=5)
    assert bodies(bus) == [b"0", b"1", b"2", b"3", b"4", b"5", b"again"]
    assert len(bus.hub.records.window) == 4
    client.put("/queue/a", b"writes")
    assert len(bus.store.noted.seen) == 4  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", ["", "x" * 256, "é" * 128], ids=["empty", "long", "long in bytes"])
def test_an_id_that_is_empty_or_too_long_is_refused(bus: Bus, text: str) -> None:
    client = bus.client()
    client.put("/queue/a", dedupe_id=text)
    assert "it must have 1 to 255" in client.error()


def test_without_a_window_nothing_is_dropped() -> None:
    bus = Bus(limits=Limits(dedupe_seconds=0))
    client = bus.client()
    for _ in range(2):
        client.put("/queue/a", b"x", dedupe_id="1")
    assert bodies(bus) == [b"x", b"x"]
