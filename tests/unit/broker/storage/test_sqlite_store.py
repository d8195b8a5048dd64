from __future__ import annotations

import contextlib
import random
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from swarmage.broker.queues.message import Message
from swarmage.broker.storage.repair import compact
from swarmage.broker.storage.sqlite_store import SqliteStore
from swarmage.broker.storage.store import Batch, Loaded, Page
from swarmage.errors import BusFailed, ConfigError
from tests.unit.seeds import SEED


class Opened:
    """A store and the calls it handed over."""

    def __init__(self, directory: Path) -> None:
        self.calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.store = SqliteStore(directory, self.calls.put)
        self.loaded: Loaded = self.store.load()

    def write(self, batch: Batch) -> Exception | None:
        result: list[Exception | None] = []
        self.store.submit(batch, result.append)
        self.calls.get(timeout=5)()
        return result[0]

    def read(self, after: int = 0, most: int = 5_000, most_bytes: int = 1 << 30, destination: str = "/queue/a") -> Any:
        result: list[list[Message] | Exception] = []
        self.store.read(Page(destination, 4, after, most, most_bytes), result.append)
        self.calls.get(timeout=5)()
        return result[0]


@pytest.fixture
def reopen(tmp_path: Path) -> Iterator[Callable[[], Opened]]:
    """Open the same store again and again, closing the one before."""
    opened: list[Opened] = []

    def again() -> Opened:
        if opened:
            opened[-1].store.close()
        opened.append(Opened(tmp_path / "bus"))
        return opened[-1]

    yield again
    opened[-1].store.close()


def message(number: int, body: bytes = b"x") -> Message:
    made = Message(number, "/queue/a", b"destination:/queue/a\n\n", body)
    made.stored = True
    return made


def batch(
    inserts: list[Message], deletes: list[Message] | None = None, counts: dict[Message, int] | None = None
) -> Batch:
    made = Batch()
    made.inserts = inserts
    made.deletes = deletes or []
    made.counts = counts or {}
    return made


def test_what_was_written_is_there_after_reopening(reopen: Callable[[], Opened]) -> None:
    full = message(5, b"\0\xff")
    full.due, full.expires, full.priority = 1, 2, 9
    assert reopen().write(batch([full])) is None
    [found] = reopen().loaded.messages  # held back, so it is kept in memory
    assert (found.id, found.destination, found.head, found.body) == (5, full.destination, full.head, b"\0\xff")
    assert (found.due, found.expires, found.priority, found.count, found.stored) == (1, 2, 9, 0, True)


def test_many_messages_are_written_and_deleted_in_one_batch(reopen: Callable[[], Opened]) -> None:
    opened = reopen()
    messages = [message(n) for n in range(1, 1_000)]
    assert opened.write(batch(messages)) is None
    assert opened.write(batch([message(1_000)], messages[:-2], {messages[-1]: 3})) is None
    opened = reopen()
    assert opened.loaded.backlog == {("/queue/a", 4): 3}
    assert [(m.id, m.count) for m in opened.read()] == [(998, 0), (999, 3), (1_000, 0)]


def test_a_page_begins_behind_a_number_and_has_a_size(reopen: Callable[[], Opened]) -> None:
    opened = reopen()
    bodies = [bytes([n, 0, 255]) * n for n in range(1, 100)]
    other = message(500)
    other.destination = "/queue/b"
    assert opened.write(batch([*(message(n, body) for n, body in enumerate(bodies, 1)), other])) is None
    page = opened.read(after=10, most=20)
    assert [(m.id, m.body, m.head, m.stored) for m in page] == [
        (n, bodies[n - 1], b"destination:/queue/a\n\n", True) for n in range(11, 31)
    ]
    sizes = [22 + 3 * n for n in range(1, 100)]
    for count in range(1, 60):  # those behind the first are larger than it, so fewer fit than it tells
        for most_bytes in (sum(sizes[10 : 10 + count]), sum(sizes[10 : 11 + count]) - 1):
            assert [m.id for m in opened.read(after=10, most_bytes=most_bytes)] == [*range(11, 11 + count)]
    assert [m.id for m in opened.read(after=98, most_bytes=1)] == [99]  # never nothing while there is one
    assert opened.read(after=99) == []
    assert opened.read(destination="/queue/nobody") == []


def test_pages_of_any_sizes_leave_nothing_out(reopen: Callable[[], Opened]) -> None:
    opened, chance = reopen(), random.Random(SEED)
    sizes = [chance.choice([0, 1, 50, 3_000, 70_000]) for _ in range(500)]
    sizes[100:300] = [70_000, *[1] * 199]  # the first size says little about those behind it
    assert opened.write(batch([message(n, b"x" * size) for n, size in enumerate(sizes, 1)])) is None
    read: list[int] = []
    while page := opened.read(after=len(read), most=chance.choice([1, 7, 400]), most_bytes=100_000):
        assert sum(len(m.head) + len(m.body) for m in page[:-1]) < 100_000
        read += [len(m.body) for m in page]
    assert read == sizes


def test_deleted_bodies_are_not_overwritten_at_once(reopen: Callable[[], Opened]) -> None:
    opened = reopen()
    secret = message(1, b"secret" * 10_000)
    assert opened.write(batch([secret])) is None
    assert opened.write(batch([], [secret])) is None
    path = reopen().store.path
    reopen().store.close()
    assert b"secretsecret" in path.read_bytes()
    compact(path)
    assert [file.name for file in path.parent.iterdir() if b"secretsecret" in file.read_bytes()] == []


def test_a_page_shows_what_was_written_before_it_was_asked_for(reopen: Callable[[], Opened]) -> None:
    opened = reopen()
    result: list[Any] = []
    opened.store.submit(batch([message(1)]), result.append)
    opened.store.read(Page("/queue/a", 4, 0, 10, 1 << 20), result.append)
    for _ in range(2):
        opened.calls.get(timeout=5)()
    assert result[0] is None
    assert [m.id for m in result[1]] == [1]


def test_destinations_that_nothing_goes_to_are_forgotten_at_the_next_start(reopen: Callable[[], Opened]) -> None:
    opened = reopen()
    only = message(1)
    opened.write(batch([only]))
    opened.write(batch([], [only]))
    assert opened.read() == []
    path = reopen().store.path
    reopen().store.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM destination").fetchone() == (0,)


def test_numbers_are_never_used_again(reopen: Callable[[], Opened]) -> None:
    first = reopen()
    number = first.loaded.next_number
    only = message(number)
    first.write(batch([only]))
    first.write(batch([], [only]))
    assert reopen().loaded.next_number > number + 1_000_000


def test_the_file_is_for_its_owner_alone(reopen: Callable[[], Opened]) -> None:
    path = reopen().store.path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_second_bus_on_the_same_file_is_refused(reopen: Callable[[], Opened]) -> None:
    path = reopen().store.path
    with pytest.raises(ConfigError, match="in use by another bus") as refused:
        Opened(path.parent)
    assert str(path) in str(refused.value)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bus.db").write_bytes(b"this is no database, " * 100)
    with pytest.raises(ConfigError, match=r"bus\.db is damaged"):
        Opened(tmp_path)


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "bus.db") as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(ConfigError, match="another version"):
        Opened(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be opened"):
        Opened(tmp_path / "file" / "bus")


def test_a_failed_commit_is_told_and_nothing_is_tried_again(reopen: Callable[[], Opened]) -> None:
    opened = reopen()
    assert opened.write(batch([message(1)])) is None
    error = opened.write(batch([message(1)]))
    assert isinstance(error, BusFailed)
    assert str(opened.store.path) in str(error)
    assert [m.id for m in reopen().read()] == [1]


def test_the_file_is_written_by_one_thread_of_its_own(reopen: Callable[[], Opened]) -> None:
    before = set(threading.enumerate())
    reopen()
    assert [thread.name for thread in set(threading.enumerate()) - before] == ["bus-store"]
