"""Making packs of what is in a file: from format 3, where each message was a row of its own, or from older packs."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator, Sequence

from swarmage.broker.storage.checksum import salt_of
from swarmage.broker.storage.pack import encode
from swarmage.broker.storage.pack_row import PACKS, all_rows
from swarmage.broker.storage.sqlite_damage import Damage
from swarmage.broker.storage.sqlite_packs import insert, remove, row_of
from swarmage.broker.storage.sqlite_row import COLUMNS, Row, as_message, fits

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
"""How messages were kept in the formats 2 and 3."""

_TABLES = """
CREATE TABLE pack (
    id INTEGER PRIMARY KEY, destination INTEGER NOT NULL, priority INTEGER NOT NULL, first INTEGER NOT NULL,
    messages INTEGER NOT NULL, expires INTEGER NOT NULL, sum INTEGER NOT NULL, data BLOB NOT NULL
);
CREATE INDEX packed ON pack (destination, priority);
CREATE TABLE settled (id INTEGER PRIMARY KEY, counts TEXT NOT NULL, sum INTEGER NOT NULL);
DROP INDEX lane;
DROP INDEX fading;
CREATE INDEX alone ON message (destination, priority) WHERE due = 0
"""
_WAITING = "due = 0 AND destination NOT IN (SELECT id FROM destination WHERE name GLOB '/value/*')"
_LANES = f"SELECT DISTINCT destination, priority FROM message WHERE {_WAITING}"  # noqa: S608
_LANE = f"SELECT {COLUMNS} FROM message WHERE destination = ? AND priority = ? AND due = 0 ORDER BY id"  # noqa: S608
_PACK = PACKS.replace("ORDER BY", "WHERE pack.id = ? ORDER BY")
_AT_ONCE = 1_000


def pack_messages(connection: sqlite3.Connection) -> None:
    """Put what waits in queues into packs; a checksum that does not fit goes with its message.

    Raises:
        Damage: a message cannot be put anywhere.
    """
    for statement in _TABLES.split(";"):
        connection.execute(statement)
    before, packed = _count(connection), 0
    for destination, priority in connection.execute(_LANES).fetchall():
        for rows in _lane(connection, destination, priority):
            packed += len(rows)
            try:
                _pack(connection, destination, rows)
            except (struct.error, TypeError) as error:
                raise Damage(f"it holds messages that cannot be understood: {error}") from error
    connection.execute(f"DELETE FROM message WHERE {_WAITING}")  # noqa: S608
    if _count(connection) + packed != before:
        raise Damage("messages would be lost on the way to the next format")


def repack(connection: sqlite3.Connection) -> None:
    """Make packs anew of what is left of those some messages of which are done; no bus may know of their places.

    One that holds something damaged stays as it is: what is wrong there could be a number, or a priority.
    """
    salts = {number: salt_of(name) for number, name in connection.execute("SELECT id, name FROM destination")}
    numbers = [number for (number,) in connection.execute("SELECT id FROM settled").fetchall()]
    for number in numbers:
        *pack, text, noted, data = connection.execute(_PACK, (number,)).fetchone()
        problem, rows = all_rows(pack, data, text, noted)
        if problem:
            raise Damage(problem)
        _, destination, priority, *_ = pack
        if not all(row[2] == priority and fits(row, salts[destination]) for row in rows):
            continue
        connection.execute("BEGIN IMMEDIATE")
        for table in ("settled", "pack"):
            remove(connection, table, [number])
        _pack(connection, destination, rows)
        connection.execute("COMMIT")


def _count(connection: sqlite3.Connection) -> int:
    count: int = connection.execute("SELECT count(*) FROM message").fetchone()[0]
    return count


def _lane(connection: sqlite3.Connection, destination: int, priority: int) -> Iterator[list[Row]]:
    rows = connection.execute(_LANE, (destination, priority))
    while some := rows.fetchmany(_AT_ONCE):
        yield some


def _pack(connection: sqlite3.Connection, destination: int, rows: Sequence[Row]) -> None:
    sums = {row[0]: row[6] & 0xFFFFFFFF for row in rows}  # as they are, for some may not fit
    messages = [as_message(row, "") for row in rows]
    insert(connection, "pack", [row_of(destination, pack) for pack in encode(messages, 0, sums)])
