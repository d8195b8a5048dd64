"""A store whose batches become durable, and whose answers arrive, only when the simulation says so."""

from __future__ import annotations

import random
import re
import sqlite3
from collections import deque
from collections.abc import Callable
from functools import partial

from swarmage.broker.queues.message import Message
from swarmage.broker.storage import sqlite_notes
from swarmage.broker.storage.notes import Notes
from swarmage.broker.storage.pack_row import PACKS, all_rows
from swarmage.broker.storage.sqlite_row import COLUMNS, as_message
from swarmage.broker.storage.sqlite_rows import SCHEMA, Rows
from swarmage.broker.storage.store import Batch, Done, Loaded, MemoryStore, Page, Read

Key = tuple[str, str]
"""What a message is called here: the ``copy`` header of its SEND, and where it is now; that of a durable subscription
has no name."""

_NUMBERS_A_RUN = 1 << 40
_COPY = re.compile(rb"^copy:(.*)$", re.MULTILINE)


def key_of(message: Message) -> Key:
    found = _COPY.search(message.head)
    assert found is not None, message.head
    return found[1].decode(), message.destination


class Table:
    """The product's statements on a database in memory: what it has committed outlives a crash of the bus."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.executescript(SCHEMA)
        self._rows = Rows(self._connection)

    def load(self) -> Loaded:
        self._rows = Rows(self._connection)
        return self._rows.load()

    def write(self, batch: Batch) -> None:
        self._rows.write(batch)

    def read(self, page: Page) -> list[Message]:
        return self._rows.reading(page)(self._connection)

    def content(self) -> dict[Key, int]:
        names = dict(self._connection.execute("SELECT id, name FROM destination"))
        rows = self._connection.execute(f"SELECT {COLUMNS} FROM message").fetchall()
        for *pack, text, noted, data in self._connection.execute(PACKS):
            problem, found = all_rows(pack, data, text, noted)
            assert not problem
            rows += found
        messages = [as_message(row, names[row[1]]) for row in rows]
        durables = sqlite_notes.load(self._connection).durables.values()
        return {key_of(message): message.count for message in messages} | {("", row.queue): 0 for row in durables}

    def close(self) -> None:
        self._connection.close()


class Shelf(MemoryStore):
    """The store of a bus without a folder, which keeps copies here, as a disk would."""

    def write(self, batch: Batch) -> None:
        inserts, batch.inserts = batch.inserts, [_again(message) for message in batch.inserts]
        super().submit(batch, lambda _: None)
        batch.inserts = inserts

    def fetch(self, page: Page) -> list[Message]:
        read: list[Message] = []
        super().read(page, read.extend)  # type: ignore[arg-type]
        return read

    def content(self) -> dict[Key, int]:
        durables = {("", row.queue): 0 for row in self.noted.durables.values()}
        return {key_of(message): message.count for message in self.messages.values()} | durables


def _again(message: Message) -> Message:
    other = message.copy(message.id)
    other.count, other.due, other.stored = message.count, message.due, True
    return other


class Disk:
    """Does one job at a time, in order; what is not done when the bus crashes is lost, each batch whole.

    Attributes:
        now: what is durable, with its delivery count.
        ever: all that ever was.
        jobs: not done yet.
        answers: of jobs that are done, not heard by the bus yet.
    """

    def __init__(self, table: Table | Shelf, arrived: Callable[[list[Key]], None], rng: random.Random) -> None:
        self.now: dict[Key, int] = {}
        self.ever: set[Key] = set()
        self.jobs: deque[Callable[[], None]] = deque()
        self.answers: deque[Callable[[], None]] = deque()
        self._pages: list[Callable[[], None]] = []
        self._rng = rng
        self._table = table
        self._arrived = arrived
        self._names: dict[int, Key] = {}
        self._runs = 0

    def load(self) -> Loaded:
        loaded = self._table.load()
        self._runs += 1
        loaded.next_number = self._runs * _NUMBERS_A_RUN
        return loaded

    def submit(self, batch: Batch, done: Done) -> None:
        self.jobs.append(partial(self._write, batch, done))

    def read(self, page: Page, done: Read) -> None:
        self.jobs.append(partial(self._read, page, done))

    def close(self) -> None:
        if isinstance(self._table, Table):
            self._table.close()

    def work(self) -> None:
        """Do the next job."""
        self.jobs.popleft()()

    def answer(self) -> None:
        """Let the bus hear of a job that is done."""
        # A page is read beside the writing: what is written after it was asked for may be heard of before it.
        written = [answer for answer in self.answers if answer not in self._pages]
        answer = written[0] if written and self._rng.random() < 0.5 else self.answers[0]
        self.answers.remove(answer)
        if answer in self._pages:
            self._pages.remove(answer)
        answer()

    def crash(self) -> None:
        self.jobs.clear()
        self.answers.clear()
        self._pages.clear()

    def check(self) -> None:
        """What was written must be what is read: neither more nor less, whatever the statements are."""
        content = self._table.content()
        assert content == self.now, f"the table holds {content}, it should hold {self.now}"

    def _write(self, batch: Batch, done: Done) -> None:
        self._table.write(batch)
        keys = [key_of(message) for message in batch.inserts]
        for message, key in zip(batch.inserts, keys, strict=True):
            self._names[message.id] = key
            self.now[key] = message.count
            self.ever.add(key)
        for message, count in batch.counts.items():
            if self._names[message.id] in self.now:
                self.now[self._names[message.id]] = count
        for message in batch.deletes:
            self.now.pop(self._names[message.id], None)
        if batch.notes is not None:
            self._note(batch.notes)
        self.answers.append(partial(self._written, keys, done))

    def _note(self, notes: Notes) -> None:
        for row in notes.opened:
            self.now["", row.queue] = 0
            self.ever.add(("", row.queue))
        ended = {row.queue for row in notes.ended}
        for key in [key for key in self.now if key[1] in ended]:
            del self.now[key]

    def _written(self, keys: list[Key], done: Done) -> None:
        self._arrived(keys)
        done(None)

    def _read(self, page: Page, done: Read) -> None:
        read = self._table.fetch(page) if isinstance(self._table, Shelf) else self._table.read(page)
        answer = partial(done, read)
        self._pages.append(answer)
        self.answers.append(answer)
