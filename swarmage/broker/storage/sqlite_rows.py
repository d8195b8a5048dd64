"""Messages as rows of SQLite: the statements, each of which does a whole batch in one step.

What waits in queues is stored in packs, and read by pages. Two kinds of messages have a row each: values, and those
that were held back when they came (``due`` is not 0), which are few and kept in memory.

Each message carries a checksum. What is read is compared with it, and what does not fit is returned as `Damaged`.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial

from swarmage.broker.queues.message import Message
from swarmage.broker.queues.values import VALUE
from swarmage.broker.storage import sqlite_notes, sqlite_packs
from swarmage.broker.storage.checksum import checksum, salt_of
from swarmage.broker.storage.notes import DURABLE
from swarmage.broker.storage.sqlite_damage import Damage
from swarmage.broker.storage.sqlite_lanes import count_lanes
from swarmage.broker.storage.sqlite_packs import Packs, insert, remove
from swarmage.broker.storage.sqlite_page import read, read_alone
from swarmage.broker.storage.sqlite_reader import Reading
from swarmage.broker.storage.sqlite_row import COLUMNS, Row, checked
from swarmage.broker.storage.store import Batch, Loaded, Page

VERSION = 4
SCHEMA = f"""
CREATE TABLE destination (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE message (
    id INTEGER PRIMARY KEY, destination INTEGER NOT NULL, priority INTEGER NOT NULL, due INTEGER NOT NULL,
    expires INTEGER NOT NULL, count INTEGER NOT NULL, sum INTEGER NOT NULL, head BLOB NOT NULL, body BLOB NOT NULL
);
CREATE INDEX alone ON message (destination, priority) WHERE due = 0;
CREATE INDEX held ON message (destination) WHERE due > 0;
{sqlite_packs.SCHEMA.strip()}
CREATE TABLE run (number INTEGER NOT NULL);
INSERT INTO run VALUES (0);
{sqlite_notes.SCHEMA.strip()}
"""  # noqa: S608

_FEW_NAMES = 1_000  # destinations that nothing goes to any more are looked for when there are more, and twice as many
_UNUSED = """
DELETE FROM destination WHERE
    NOT EXISTS (SELECT 1 FROM pack WHERE pack.destination = destination.id)
    AND NOT EXISTS (SELECT 1 FROM message WHERE message.destination = destination.id AND due = 0)
    AND NOT EXISTS (SELECT 1 FROM message WHERE message.destination = destination.id AND due > 0)
"""


class Rows:
    """The rows of one open file. Belongs to the writer thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._packs = Packs(connection)
        self._ended: set[str] = set()  # queues that went with all their packs; what is held of them may be settled yet
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
            Damage: tables and indexes do not hold the same messages, or are not as they were written.
        """
        self._forget_names()
        names = {number: name for name, number in self._numbers.items()}
        held = self._connection.execute(f"SELECT {COLUMNS} FROM message INDEXED BY held WHERE due > 0").fetchall()  # noqa: S608
        lanes = count_lanes(self._connection, len({row[0] for row in held}))
        if not {destination for destination, _ in lanes.counts} | {row[1] for row in held} <= names.keys():
            raise Damage("it holds messages whose destination it does not know")
        noted = sqlite_notes.load(self._connection)
        durable = {name for name in self._numbers if name.startswith(DURABLE)}
        if not durable <= {row.queue for row in noted.durables.values()}:
            raise Damage("it holds messages whose durable subscription it does not know")
        return Loaded(
            messages=sorted((self._checked(row, names[row[1]]) for row in held), key=lambda message: message.id),
            backlog={(names[number], priority): count for (number, priority), count in lanes.counts.items()},
            first={(names[number], priority): first for (number, priority), first in lanes.first.items()},
            fading={names[number] for number in lanes.fading},
            bytes=-lanes.done_bytes,
            noted=noted,
        )

    def _checked(self, row: Row, name: str) -> Message:
        return checked(row, name, self._salts[name])

    def reading(self, page: Page) -> Reading:
        """Return what reads a page, as it is when that is called; what is not as it was written, as `Damaged`.

        It raises `Damage` when the page holds what does not belong there, or lacks what does.
        """
        number = self._numbers.get(page.destination)
        if number is None:
            return lambda _: []
        how = read_alone if page.destination.startswith(VALUE) else read
        return partial(how, page=page, number=number, salt=self._salts[page.destination])

    def write(self, batch: Batch) -> None:
        """Make a batch durable."""
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        if len(self._numbers) > self._most_names:
            self._forget_names()
        self._insert(batch.inserts)
        self._settle(batch.deletes, batch.counts)
        if batch.notes is not None:
            sqlite_notes.write(self._connection, batch.notes)
        execute("COMMIT")
        if batch.notes is not None:
            self._ended.update(row.queue for row in batch.notes.ended)

    def roll_back(self) -> None:
        """Undo a batch that could not be written."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._packs.roll_back()
        self._take_names()

    def _insert(self, messages: Sequence[Message]) -> None:
        alone: list[Message] = []
        lanes: defaultdict[tuple[str, int], list[Message]] = defaultdict(list)
        for message in messages:
            if message.due:
                alone.append(message)
            else:
                lanes[message.destination, message.priority].append(message)
        for lane in [lane for lane in lanes if lane[0].startswith(VALUE)]:
            alone += lanes.pop(lane)
        self._name({name for name, _ in lanes}.union(message.destination for message in alone))
        numbers, salts = self._numbers, self._salts
        self._packs.insert((numbers[name], salts[name], lane) for (name, _), lane in lanes.items())
        rows = []
        for m in alone:
            name, head, body = m.destination, m.head, m.body
            found = checksum(m.id, salts[name], m.priority, m.due, m.expires, head, body)
            rows.append((m.id, numbers[name], m.priority, m.due, m.expires, m.count, found, head, body))
        insert(self._connection, "message", rows)

    def _name(self, names: set[str]) -> None:
        """Give numbers to destinations that have none yet."""
        for name in names.difference(self._numbers):
            cursor = self._connection.execute("INSERT INTO destination (name) VALUES (?) RETURNING id", (name,))
            self._numbers[name] = cursor.fetchone()[0]
            self._salts[name] = salt_of(name)

    def _settle(self, deletes: Sequence[Message], counts: Mapping[Message, int]) -> None:
        """Note what became of messages that were stored before."""
        alone = [(count, message.id) for message, count in counts.items() if message.place is None]
        if alone:
            self._connection.executemany("UPDATE message SET count = ? WHERE id = ?", alone)
        ids = [message.id for message in deletes if message.place is None]
        if ids:
            remove(self._connection, "message", ids)
        if self._ended:
            deletes = [message for message in deletes if message.destination not in self._ended]
            counts = {message: count for message, count in counts.items() if message.destination not in self._ended}
        self._packs.settle(deletes, counts)
