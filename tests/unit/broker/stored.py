"""Files of the bus for tests: filled, damaged, and read as a bus reads them."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from swarmage.broker.queues.message import Damaged, Message
from swarmage.broker.storage import sqlite_notes
from swarmage.broker.storage.checksum import checksum, salt_of
from swarmage.broker.storage.packing import MESSAGES_SCHEMA
from swarmage.broker.storage.sqlite_file import open_file
from swarmage.broker.storage.sqlite_rows import Rows
from swarmage.broker.storage.sqlite_store import SqliteStore
from swarmage.broker.storage.store import Batch, Page

Key = tuple[int, str, int]


def message(number: int, destination: str = "/queue/a", body: bytes = b"x", priority: int = 4, due: int = 0) -> Message:
    made = Message(number, destination, f"destination:{destination}\ncontent-length:{len(body)}\n\n".encode(), body)
    made.priority, made.due, made.stored = priority, due, True
    return made


def batch(inserts: list[Message] | None = None, deletes: list[Message] | None = None) -> Batch:
    made = Batch()
    made.inserts, made.deletes = inserts or [], deletes or []
    return made


def written() -> list[Message]:
    """Return messages of several queues, priorities and sizes, some of them delayed."""
    made = []
    for number in range(1, 121):
        body = (b"%d," % number) * (number % 7 * 40 if number % 20 else 4_000)
        due = 4_000_000_000_000 if number % 15 == 0 else 0
        made.append(message(number, f"/queue/q{number % 3}", body, number % 2 + 4, due))
    return made


def fill(path: Path, *, keep_log: bool = False) -> dict[Key, bytes]:
    """Make a file with messages, many more of which were deleted, and return those by number, queue and priority."""
    there = path.with_name("work") / "bus.db" if keep_log else path
    connection = open_file(there)
    rows = Rows(connection)
    messages = written()
    gone = [message(number, body=b"gone" * 100) for number in range(1_000, 1_300)]
    rows.write(batch(gone))
    for start in range(0, len(messages), 10):
        rows.write(batch(messages[start : start + 10]))
    rows.write(batch(deletes=gone))
    if keep_log:  # what a kill leaves
        path.parent.mkdir(exist_ok=True)
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{there}{suffix}", f"{path}{suffix}")
    connection.close()
    return {(m.id, m.destination, m.priority): m.body for m in messages}


def write_format_3(path: Path, messages: list[Message], *, notes: bool = True) -> None:
    """Make a file as it was when each message was a row of its own; without notes, of format 2."""
    numbers = {name: number for number, name in enumerate(sorted({m.destination for m in messages}), 1)}
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(MESSAGES_SCHEMA + (sqlite_notes.SCHEMA if notes else ""))
        connection.executemany("INSERT INTO destination VALUES (?, ?)", [(numbers[name], name) for name in numbers])
        for m in messages:
            found = checksum(m.id, salt_of(m.destination), m.priority, m.due, m.expires, m.head, m.body)
            row = (m.id, numbers[m.destination], m.priority, m.due, m.expires, m.count, found, m.head, m.body)
            connection.execute("INSERT INTO message VALUES (?,?,?,?,?,?,?,?,?)", row)
        connection.execute(f"PRAGMA user_version={3 if notes else 2}")
        connection.commit()


def flip(path: Path, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(bit // 8)
        byte = file.read(1)[0]
        file.seek(bit // 8)
        file.write(bytes([byte ^ 1 << bit % 8]))


@dataclass
class Read:
    """What a bus would find in a file."""

    bodies: dict[Key, bytes] = field(default_factory=dict)
    damaged: int = 0
    missed: int = 0  # counted at the start, and not there: the bus logs that


def read_all(path: Path) -> Read:
    """Read a file page by page, as the writer thread does; whatever it raises is for the caller."""
    found = Read()
    with contextlib.closing(open_file(path)) as connection:
        rows = Rows(connection)
        loaded = rows.load()
        pages = [loaded.messages]
        for (name, priority), count in loaded.backlog.items():
            after, there = 0, 0
            while page := rows.reading(Page(name, priority, after, 16, 1 << 20))(connection):
                pages.append(page)
                after = page[-1].id
                there += len(page)
            found.missed += count - there
        for each in (each for page in pages for each in page):
            if isinstance(each, Damaged):
                found.damaged += 1
            else:
                found.bodies[each.id, each.destination, each.priority] = each.body
    return found


class Opened:
    """A store whose calls the test takes over when it likes."""

    def __init__(self, directory: Path, **more: Any) -> None:
        self.calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.store = SqliteStore(directory, self.calls.put, **more)
        self.loaded = self.store.load()

    def write(self, made: Batch) -> Exception | None:
        result: list[Exception | None] = []
        self.store.submit(made, result.append)
        self.calls.get(timeout=5)()
        return result[0]

    def read(self, destination: str = "/queue/a") -> Any:
        result: list[Any] = []
        self.store.read(Page(destination, 4, 0, 5_000, 1 << 30), result.append)
        self.calls.get(timeout=5)()
        return result[0]
