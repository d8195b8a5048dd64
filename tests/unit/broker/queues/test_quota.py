from __future__ import annotations

import json
from pathlib import Path

import pytest

from swarmage.broker.limits import Limits

from ..driver import Bus, HeldStore
from ..stored import Opened, batch, message


def test_a_full_queue_refuses_new_messages_and_keeps_the_old_ones() -> None:
    bus = Bus(limits=Limits(queue_messages=2))
    sender = bus.client()
    sender.feed(b"SEND\ndestination:/queue/a\n\n1\0" * 3)
    text = sender.error()
    assert "the queue /queue/a is full" in text
    assert "2 messages (--max-queue-messages)" in text
    reader = bus.client()
    reader.subscribe("/queue/a", ack="client-individual")
    taken = reader.take()
    other = bus.client()
    other.put("/queue/b", b"x", receipt="r")  # another queue is another matter
    other.take("RECEIPT")
    other.put("/queue/a", b"4")
    assert "full" in other.error()  # what is delivered still counts
    reader.ack(taken)
    last = bus.client()
    last.put("/queue/a", b"5", receipt="r")
    assert last.take("RECEIPT")


def test_what_is_on_its_way_to_the_disk_counts() -> None:
    bus = Bus(limits=Limits(queue_messages=2), store=HeldStore())
    sender = bus.client()
    for _ in range(2):
        sender.put("/queue/a", b"x", delay=5_000)
    assert sender.frames == []
    sender.put("/queue/a", b"x")
    assert "full" in sender.error()


def test_a_transaction_fits_as_a_whole_or_not_at_all() -> None:
    bus = Bus(limits=Limits(queue_messages=2))
    sender = bus.client()
    sender.send("BEGIN", {"transaction": "t"})
    for _ in range(3):
        sender.put("/queue/a", b"x", transaction="t")
    sender.send("COMMIT", {"transaction": "t"})
    assert "full" in sender.error()
    assert bus.store.messages == {}  # type: ignore[attr-defined]


def test_a_full_bus_refuses_new_messages_until_others_are_done() -> None:
    bus = Bus(limits=Limits(stored_bytes=3_000))
    client = bus.client()
    client.put("/queue/a", b"x" * 1_500)
    client.put("/queue/a", b"x" * 1_500)
    assert "the bus is full: it may store 3000 bytes (--max-bytes)" in client.error()
    reader = bus.client()
    reader.subscribe("/queue/a")
    assert len(reader.bodies()) == 1
    reader.put("/queue/b", b"x" * 1_500, receipt="r")
    assert reader.take("RECEIPT")


def test_what_a_file_holds_already_counts(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    opened.write(batch([message(number, body=b"x" * 3_000) for number in range(1, 11)]))
    opened.store.close()
    opened = Opened(tmp_path)
    opened.store.close()
    assert 30_000 < opened.loaded.bytes < 100_000


def test_the_statistics_tell_what_a_receipt_means(bus: Bus) -> None:
    client = bus.client()
    client.put("/bus/statistics", reply_to="/temp-queue/me")
    assert json.loads(client.take().body)["bus"]["durability"] == "memory"


@pytest.mark.parametrize(("durability", "synchronous"), [("disk", 2), ("os", 1)])
def test_durability_is_what_sqlite_is_told(tmp_path: Path, durability: str, synchronous: int) -> None:
    opened = Opened(tmp_path, durability=durability)
    found = []
    opened.store._jobs.put(
        lambda rows: bool(found.append(rows._connection.execute("PRAGMA synchronous").fetchone()[0])) or True
    )
    opened.store.close()
    assert found == [synchronous]
