"""Messages as rows of SQLite: the statements, each of which does a whole batch or a whole page in one step.

Python's sqlite3 lets go of the interpreter lock at each step of a statement, and in a busy process it takes up to 5 ms
to get it back. A page read row by row could take seconds; read as one row of all bodies, it takes one step.

Messages that are due are read by pages, in the order of the partial index ``lane``. Those that were held back when they
came (``due`` is not 0) are few, and kept in memory.
"""

from __future__ import annotations

import json
import sqlite3

from swarmage.broker.message import Message
from swarmage.broker.store import Batch, Loaded, Page

VERSION = 1
SCHEMA = """
CREATE TABLE destination (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE message (
    id INTEGER PRIMARY KEY, destination INTEGER NOT NULL, priority INTEGER NOT NULL, due INTEGER NOT NULL,
    expires INTEGER NOT NULL, count INTEGER NOT NULL, head BLOB NOT NULL, body BLOB NOT NULL
);
CREATE INDEX lane ON message (destination, priority) WHERE due = 0;
CREATE INDEX held ON message (destination) WHERE due > 0;
CREATE INDEX fading ON message (destination) WHERE expires > 0;
CREATE TABLE run (number INTEGER NOT NULL);
INSERT INTO run VALUES (0);
"""

_CHUNKS = (256, 64, 16, 4, 1)  # few different statements, so that each stays compiled in the cache
_ROW = "(?,?,?,?,?,?,?,?)"
_PAGE = """
WITH chosen AS (
    SELECT id FROM (
        SELECT id, sum(length(head) + length(body)) OVER (ORDER BY id) - length(head) - length(body) AS before
        FROM message WHERE destination = ? AND priority = ? AND due = 0 AND id > ? ORDER BY id LIMIT ?
    ) WHERE before < ?
)
SELECT json_group_array(json_array(id, expires, count, length(head), length(body))),
    CAST(group_concat(CAST(head AS TEXT) || CAST(body AS TEXT), '') AS BLOB)
FROM (SELECT message.* FROM chosen JOIN message USING (id) ORDER BY id)
"""
_UNUSED = """
DELETE FROM destination WHERE
    NOT EXISTS (SELECT 1 FROM message WHERE message.destination = destination.id AND due = 0)
    AND NOT EXISTS (SELECT 1 FROM message WHERE message.destination = destination.id AND due > 0)
"""


class Rows:
    """The rows of one open file. Belongs to the writer thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._numbers: dict[str, int] = dict(connection.execute("SELECT name, id FROM destination"))

    def load(self) -> Loaded:
        """Return what must be in memory, and how much there is besides; forget destinations that nothing goes to."""
        self._connection.execute(_UNUSED)
        self._numbers = dict(self._connection.execute("SELECT name, id FROM destination"))
        names = {number: name for name, number in self._numbers.items()}
        held = self._connection.execute(
            "SELECT id, destination, priority, expires, count, head, body, due FROM message WHERE due > 0 ORDER BY id"
        )
        backlog = self._connection.execute(
            "SELECT destination, priority, count(*) FROM message WHERE due = 0 GROUP BY destination, priority"
        )
        fading = self._connection.execute("SELECT DISTINCT destination FROM message WHERE expires > 0")
        return Loaded(
            messages=[_message(row[0], names[row[1]], *row[2:]) for row in held],
            backlog={(names[number], priority): count for number, priority, count in backlog},
            fading={names[number] for (number,) in fading},
        )

    def read(self, page: Page) -> list[Message]:
        """Return the messages of a page."""
        number = self._numbers.get(page.destination)
        if number is None:
            return []
        wanted = (number, page.priority, page.after, page.most, page.most_bytes)
        facts, content = self._connection.execute(_PAGE, wanted).fetchone()
        messages, start = [], 0
        for id_, expires, count, head_size, body_size in json.loads(facts):
            end = start + head_size + body_size
            head, body = content[start : start + head_size], content[start + head_size : end]
            messages.append(_message(id_, page.destination, page.priority, expires, count, head, body))
            start = end
        return messages

    def write(self, batch: Batch) -> None:
        """Make a batch durable."""
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        self._insert(batch.inserts)
        if batch.counts:
            counts = [(count, number) for number, count in batch.counts.items()]
            self._connection.executemany("UPDATE message SET count = ? WHERE id = ?", counts)
        if batch.deletes:
            ids = json.dumps(batch.deletes)
            execute("DELETE FROM message WHERE id IN (SELECT value FROM json_each(?))", (ids,))
        execute("COMMIT")

    def _insert(self, messages: list[Message]) -> None:
        numbers = self._numbers
        for name in {message.destination for message in messages}.difference(numbers):
            cursor = self._connection.execute("INSERT INTO destination (name) VALUES (?) RETURNING id", (name,))
            numbers[name] = cursor.fetchone()[0]
        start, left = 0, len(messages)
        for size in _CHUNKS:
            while left >= size:
                values: list[object] = []
                for m in messages[start : start + size]:
                    values += (m.id, numbers[m.destination], m.priority, m.due, m.expires, m.count, m.head, m.body)
                # question marks only
                self._connection.execute("INSERT INTO message VALUES " + ",".join([_ROW] * size), values)  # noqa: S608
                start += size
                left -= size


def _message(
    number: int, destination: str, priority: int, expires: int, count: int, head: bytes, body: bytes, due: int = 0
) -> Message:
    message = Message(number, destination, head, body)
    message.priority = priority
    message.expires = expires
    message.count = count
    message.due = due
    message.stored = True
    return message
