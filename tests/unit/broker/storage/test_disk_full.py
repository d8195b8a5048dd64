from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import pytest

from swarmage.broker.storage.reserve import Reserve
from swarmage.broker.storage.sqlite_damage import StoreFull
from swarmage.broker.storage.store import Batch, Done, MemoryStore
from swarmage.errors import BusFailed

from ..driver import Bus
from ..stored import Opened, batch, message


class FullStore(MemoryStore):
    """Has no room for messages while the test says so, and none for anything while it is stuck."""

    def __init__(self) -> None:
        super().__init__()
        self.full = self.stuck = False

    def submit(self, made: Batch, done: Done) -> None:
        if self.stuck or (self.full and (made.inserts or not made)):
            done(StoreFull("the disk of /data is full"))
        else:
            super().submit(made, done)


@pytest.fixture
def store() -> FullStore:
    return FullStore()


@pytest.fixture
def bus(store: FullStore) -> Bus:
    return Bus(store=store)


def test_a_full_disk_refuses_the_message_in_words_and_gives_no_receipt(bus: Bus, store: FullStore) -> None:
    sender = bus.client()
    store.full = True
    sender.put("/queue/a", b"1", receipt="r")
    assert "the disk of /data is full" in sender.error()
    assert sender.frames == []
    other = bus.client()
    other.put("/queue/a", b"2", receipt="r")  # refused at once from now on
    assert "full" in other.error()
    assert store.messages == {}


def test_a_full_disk_still_takes_acks(bus: Bus, store: FullStore) -> None:
    client = bus.client()
    client.put("/queue/a", b"1")
    client.subscribe("/queue/a", ack="client-individual")
    store.full = True
    client.ack(client.take(), receipt="acked")
    assert client.take("RECEIPT").headers["receipt-id"] == "acked"
    assert store.messages == {}


def test_an_ack_of_another_client_in_the_same_batch_is_stored_and_confirmed(bus: Bus, store: FullStore) -> None:
    sender, reader = bus.client(), bus.client()
    sender.put("/queue/a", b"1")
    reader.subscribe("/queue/a", ack="client-individual")
    number = reader.take().headers["ack"]
    store.full = True
    sender.session.receive(b"SEND\ndestination:/queue/a\nreceipt:s\n\n2\0")
    reader.session.receive(f"ACK\nid:{number}\nreceipt:acked\n\n\0".encode())
    bus.settle()
    assert reader.take("RECEIPT").headers["receipt-id"] == "acked"
    assert "full" in sender.error()
    assert store.messages == {}


def test_a_transaction_that_has_no_room_undoes_its_acks_too(bus: Bus, store: FullStore) -> None:
    client = bus.client()
    client.put("/queue/a", b"task")
    client.subscribe("/queue/a", ack="client-individual")
    task = client.take()
    store.full = True
    client.send("BEGIN", {"transaction": "t"})
    client.put("/queue/replies", b"result", transaction="t")
    client.ack(task, transaction="t")
    client.send("COMMIT", {"transaction": "t", "receipt": "r"})
    assert "full" in client.error()
    reader = bus.client()
    reader.subscribe("/queue/a", ack="client-individual")
    again = reader.take()
    assert again.body == b"task"
    assert "delivery-count" not in again.headers  # it was not the client's fault
    assert [each.body for each in store.messages.values()] == [b"task"]


def test_the_bus_takes_messages_again_when_there_is_room(
    bus: Bus, store: FullStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.full = True
    bus.client().put("/queue/a", b"1")
    with caplog.at_level(logging.INFO):
        bus.advance(1)
        store.full = False
        bus.advance(1)
    assert caplog.records[-1].event == "disk_has_room"  # type: ignore[attr-defined]
    sender = bus.client()
    sender.put("/queue/a", b"2", receipt="r")
    assert sender.take("RECEIPT")


def test_acks_that_have_no_room_either_wait_for_it(bus: Bus, store: FullStore) -> None:
    client = bus.client()
    client.put("/queue/a", b"1")
    client.subscribe("/queue/a", ack="client-individual")
    store.stuck = True
    client.ack(client.take(), receipt="acked")
    bus.advance(1)
    assert client.frames == []
    store.stuck = False
    bus.advance(1)
    assert client.take("RECEIPT").headers["receipt-id"] == "acked"
    assert store.messages == {}


def test_the_statistics_say_that_messages_are_refused(bus: Bus, store: FullStore) -> None:
    store.full = True
    bus.client().put("/queue/a", b"1")
    client = bus.client()
    client.put("/bus/statistics", reply_to="/temp-queue/me")
    assert b'"refusing":"the disk of /data is full"' in client.take().body


def small(most_pages: int) -> type[sqlite3.Connection]:
    """Return connections that find the disk full when the file has so many pages."""

    class Small(sqlite3.Connection):
        def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
            if sql == "BEGIN IMMEDIATE":
                super().execute(f"PRAGMA max_page_count={most_pages}")
            return super().execute(sql, *values)  # type: ignore[arg-type]

    return Small


def test_a_batch_that_finds_the_disk_full_leaves_nothing_and_deletes_go_on(tmp_path: Path) -> None:
    factory = small(60)

    def connecting(path: Path) -> sqlite3.Connection:
        return sqlite3.connect(path, isolation_level=None, timeout=0, check_same_thread=False, factory=factory)

    opened = Opened(tmp_path, connecting=connecting, reserve_bytes=1 << 20)
    assert (tmp_path / "reserve").stat().st_size == 1 << 20
    messages = [message(number) for number in range(1, 101)]
    assert opened.write(batch(messages)) is None
    error = opened.write(batch([message(number, "/queue/new", b"x" * 3_000) for number in range(200, 300)]))
    assert isinstance(error, StoreFull)
    assert not (tmp_path / "reserve").exists()
    assert opened.write(batch(deletes=messages[:2])) is None
    assert opened.write(batch()) is None  # there is room on this disk: the reserve is made again
    assert (tmp_path / "reserve").exists()
    assert opened.write(batch([message(101, "/queue/new", b"small")])) is None  # under the name that was rolled back
    assert [each.body for each in opened.read("/queue/new")] == [b"small"]
    assert len(opened.read()) == 98
    opened.store.close()


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_WRITE])
def test_any_other_failure_of_the_disk_ends_the_store_and_is_never_tried_again(tmp_path: Path, code: int) -> None:
    commits: list[str] = []

    class Failing(sqlite3.Connection):
        def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
            if sql == "COMMIT" and commits is not None and armed:
                commits.append(sql)
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = code
                raise error
            return super().execute(sql, *values)  # type: ignore[arg-type]

    armed: list[bool] = []
    opened = Opened(
        tmp_path,
        connecting=lambda path: sqlite3.connect(
            path, isolation_level=None, timeout=0, check_same_thread=False, factory=Failing
        ),
    )
    armed.append(True)
    error = opened.write(batch([message(1)]))
    opened.store.submit(batch([message(2)]), lambda _: None)
    opened.store.close()
    assert isinstance(error, BusFailed)
    assert str(tmp_path / "bus.db") in str(error)
    assert "disk I/O error" in str(error)
    assert commits == ["COMMIT"]


def test_a_reserve_leaves_room_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Disk:
        f_blocks, f_frsize, f_bavail = 1_000, 16_384, 100

    monkeypatch.setattr("os.statvfs", lambda _: Disk)
    reserve = Reserve(tmp_path)
    assert reserve.bytes == 1_024_000  # a sixteenth of a small disk
    assert reserve.make()
    reserve.give_up()
    Disk.f_bavail = 63  # enough for it, and for nothing else
    assert not reserve.make()
    assert reserve.make(reusable=2_000_000)
