"""Messages as rows of SQLite: the statements, each of which does a whole batch in one step.

Messages that are due are read by pages, in the order of the partial index ``lane``. Those that were held back when they
came (``due`` is not 0) are few, and kept in memory.

Each row carries a checksum. What is read is compared with it, and what does not fit is returned as `Damaged`.
"""

from __future__ import annotations

import json
import sqlite3
from functools import partial

from swarmage.broker.queues.message import Message
from swarmage.broker.storage import sqlite_notes
from swarmage.broker.storage.checksum import checksum, salt_of
from swarmage.broker.storage.notes import DURABLE
from swarmage.broker.storage.sqlite_damage import Damage
from swarmage.broker.storage.sqlite_page import read
from swarmage.broker.storage.sqlite_reader import Reading
from swarmage.broker.storage.sqlite_row import COLUMNS, Row, checked
from swarmage.broker.storage.store import Batch, Loaded, Page

VERSION = 3
MESSAGES_SCHEMA = """
CREATE TABLE destination (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE message (
    id INTEGER PRIMARY KEY, destination INTEGER NOT NULL, priority INTEGER NOT NULL, due INTEGER NOT NULL,
    expires INTEGER NOT NULL, count INTEGER NOT NULL, sum INTEGER NOT NULL, head BLOB NOT NULL, body BLOB NOT NULL
);
CREATE INDEX lane ON message (destination, priority) WHERE due = 0;
CREATE INDEX held ON message (destination) WHERE due > 0;
CREATE INDEX fading ON message (destination) WHERE expires > 0;
CREATE TABLE run (number INTEGER NOT NULL);
INSERT INTO run VALUES (0);
"""
SCHEMA = MESSAGES_SCHEMA + sqlite_notes.SCHEMA

_FEW_NAMES = 1_000  # destinations that nothing goes to any more are looked for when there are more, and twice as many
_CHUNKS = (1024, 256, 64, 16, 4, 1)  # few different statements, so that each stays compiled in the cache
_ROW = "(?,?,?,?,?,?,?,?,?)"
_UNUSED = """
DELETE FROM destination WHERE
    NOT EXISTS (SELECT 1 FROM message WHERE message.destination = destination.id AND due = 0)
    AND NOT EXISTS (SELECT 1 FROM message WHERE message.destination = destination.id AND due > 0)
"""


class Rows:
    """The rows of one open file. Belongs to the writer thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._most_names = _FEW_NAMES
        self._take_names()

    def _take_names(self) -> None:
        self._numbers: dict[str, int] = dict(self._connection.execute("SELECT name, id FROM destination"))
        if not all(isinstance(name, str) for name in self._numbers):
            raise Damage("it holds destinations without a name")
        self._salts = {name: salt_of(name) for name in self._numbers}

    def _forget_names(self) -> None:
        self._connection.execute(_UNUSED)
        self._take_names()
        self._most_names = max(_FEW_NAMES, 2 * len(self._numbers))

    def load(self) -> Loaded:
        """Return what must be in memory, and how much there is besides; forget destinations that nothing goes to.

        Raises:
            Damage: table and indexes do not hold the same messages.
        """
        self._forget_names()
        names = {number: name for name, number in self._numbers.items()}
        held = self._connection.execute(f"SELECT {COLUMNS} FROM message INDEXED BY held WHERE due > 0").fetchall()  # noqa: S608
        lanes = self._connection.execute(
            "SELECT destination, priority, count(*), min(id) FROM message WHERE due = 0 GROUP BY destination, priority"
        ).fetchall()
        fading = self._connection.execute("SELECT DISTINCT destination FROM message WHERE expires > 0").fetchall()
        total = self._connection.execute("SELECT count(*) FROM message NOT INDEXED").fetchone()[0]
        backlog = {(destination, priority): count for destination, priority, count, _ in lanes}
        if sum(backlog.values()) + len({row[0] for row in held}) != total:
            raise Damage("its indexes do not name the messages that it holds")
        if not {destination for destination, _ in backlog} | {row[1] for row in held} <= names.keys():
            raise Damage("it holds messages whose destination it does not know")
        noted = sqlite_notes.load(self._connection)
        durable = {name for name in self._numbers if name.startswith(DURABLE)}
        if not durable <= {row.queue for row in noted.durables.values()}:
            raise Damage("it holds messages whose durable subscription it does not know")
        return Loaded(
            messages=sorted((self._checked(row, names[row[1]]) for row in held), key=lambda message: message.id),
            backlog={(names[number], priority): count for (number, priority), count in backlog.items()},
            first={(names[number], priority): first for number, priority, _, first in lanes},
            fading={names[number] for (number,) in fading if number in names},
            noted=noted,
        )

    def reading(self, page: Page) -> Reading:
        """Return what reads a page, as it is when that is called; what is not as it was written, as `Damaged`.

        It raises `Damage` when the page holds what does not belong there, or lacks what does.
        """
        number = self._numbers.get(page.destination)
        if number is None:
            return lambda _: []
        return partial(read, page=page, number=number, salt=self._salts[page.destination])

    def _checked(self, row: Row, name: str) -> Message:
        return checked(row, name, self._salts[name])

    def write(self, batch: Batch) -> None:
        """Make a batch durable."""
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        if len(self._numbers) > self._most_names:
            self._forget_names()
        self._insert(batch.inserts)
        if batch.counts:
            counts = [(count, number) for number, count in batch.counts.items()]
            self._connection.executemany("UPDATE message SET count = ? WHERE id = ?", counts)
        if batch.deletes:
            ids = json.dumps(batch.deletes)
            execute("DELETE FROM message WHERE id IN (SELECT value FROM json_each(?))", (ids,))
        if batch.notes is not None:
            sqlite_notes.write(self._connection, batch.notes)
        execute("COMMIT")

    def roll_back(self) -> None:
        """Undo a batch that could not be written."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._take_names()

    def _insert(self, messages: list[Message]) -> None:
        numbers, salts = self._numbers, self._salts
        for name in {message.destination for message in messages}.difference(numbers):
            cursor = self._connection.execute("INSERT INTO destination (name) VALUES (?) RETURNING id", (name,))
            numbers[name] = cursor.fetchone()[0]
            salts[name] = salt_of(name)
        start, left = 0, len(messages)
        for size in _CHUNKS:
            while left >= size:
                values: list[object] = []
                for m in messages[start : start + size]:
                    name, head, body = m.destination, m.head, m.body
                    found = checksum(m.id, salts[name], m.priority, m.due, m.expires, head, body)
                    values += (m.id, numbers[name], m.priority, m.due, m.expires, m.count, found, head, body)
                # question marks only
                self._connection.execute("INSERT INTO message VALUES " + ",".join([_ROW] * size), values)  # noqa: S608
                start += size
                left -= size
