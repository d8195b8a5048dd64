"""What is kept besides messages as rows of SQLite, each with a checksum of its own."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any
from zlib import crc32

from swarmage.broker.storage import sqlite_packs
from swarmage.broker.storage.notes import ClockRow, DedupeRow, DurableRow, Noted, Notes
from swarmage.broker.storage.sqlite_damage import FAILURES, Damage, as_damage, is_damage

SCHEMA = """
CREATE TABLE durable (
    id INTEGER PRIMARY KEY, login TEXT NOT NULL, name TEXT NOT NULL, pattern TEXT NOT NULL, sum INTEGER NOT NULL
);
CREATE TABLE dedupe (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, key BLOB NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE clock (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, sum INTEGER NOT NULL);
"""
COLUMNS = {"durable": "id, login, name, pattern", "dedupe": "id, at, key", "clock": "id, at"}
"""What a row of each table consists of, besides its checksum."""

_CHUNKS = (64, 8, 1)


def sum_of(values: Sequence[object]) -> int:
    """Return the checksum of a row."""
    parts = [value.hex() if isinstance(value, bytes) else str(value) for value in values]
    return crc32("\0".join(parts).encode(errors="replace"))


def write(connection: sqlite3.Connection, notes: Notes) -> None:
    """Write the notes of a batch, as part of its transaction."""
    execute = connection.execute
    notes.freed = notes.freed_bytes = 0  # it may have been tried before, and undone
    _insert(connection, "durable", notes.opened)
    for row in notes.ended:
        execute("DELETE FROM durable WHERE id = ?", (row.number,))
        _empty(connection, row.queue, notes)
    if notes.forget:
        execute("DELETE FROM dedupe WHERE id <= ?", (notes.forget,))
    _insert(connection, "dedupe", notes.seen)
    if notes.past:
        execute("DELETE FROM clock WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(notes.past),))
    _insert(connection, "clock", notes.times)


def _insert(connection: sqlite3.Connection, table: str, rows: Sequence[Sequence[object]]) -> None:
    """Insert with few statements, as the rows of messages."""
    columns = f"{COLUMNS[table]}, sum"
    mark = f"({','.join('?' * (columns.count(',') + 1))})"
    start, left = 0, len(rows)
    for size in _CHUNKS:
        while left >= size:
            values = [value for row in rows[start : start + size] for value in (*row, sum_of(row))]
            marks = ",".join([mark] * size)
            connection.execute(f"INSERT INTO {table} ({columns}) VALUES {marks}", values)  # noqa: S608
            start, left = start + size, left - size


def _empty(connection: sqlite3.Connection, name: str, notes: Notes) -> None:
    """Delete what waits in a queue, and note how much that was."""
    size = "SELECT count(*), coalesce(sum(length(head) + length(body)), 0) FROM message"
    for destination in connection.execute("SELECT id FROM destination WHERE name = ?", (name,)).fetchall():
        held = connection.execute(f"{size} WHERE destination = ? AND due > 0", destination).fetchone()
        connection.execute("DELETE FROM message WHERE destination = ? AND due > 0", destination)
        for count, size_bytes in (held, sqlite_packs.empty(connection, *destination)):
            notes.freed += count
            notes.freed_bytes += size_bytes


def load(connection: sqlite3.Connection) -> Noted:
    """Return what is there.

    Raises:
        Damage: a table is not as it was written; the message names it.
    """
    found: dict[str, list[Any]] = {}
    for table in COLUMNS:
        found[table], problem = read(connection, table)
        if problem:
            raise Damage(problem)
    return _noted(found)


def read(connection: sqlite3.Connection, table: str) -> tuple[list[tuple[Any, ...]], str]:
    """Return those rows of a table that are as they were written, and what is wrong with the others.

    Raises:
        sqlite3.Error: the disk fails.
    """
    rows: list[tuple[Any, ...]] = []
    wrong = 0
    try:
        for *values, expected in _rows(connection, table):
            good = sum_of(values) == expected
            wrong += not good
            if good:
                rows.append(tuple(values))
    except FAILURES as error:
        if not is_damage(as_damage(error)):
            raise
        return rows, f"its table {table} cannot be read: {error}"
    return rows, f"{wrong} rows of its table {table} are not as they were written" if wrong else ""


def _rows(connection: sqlite3.Connection, table: str) -> Iterator[tuple[Any, ...]]:
    return iter(connection.execute(f"SELECT {COLUMNS[table]}, sum FROM {table} ORDER BY id"))  # noqa: S608


def salvage(connection: sqlite3.Connection) -> Noted:
    """Return what can be read of a damaged file; ids that were seen are left out, they are of use for minutes only."""
    return _noted({table: read(connection, table)[0] for table in ("durable", "clock")})


def _noted(found: dict[str, list[Any]]) -> Noted:
    return Noted(
        durables={row[0]: DurableRow(*row) for row in found["durable"]},
        seen={row[0]: DedupeRow(*row) for row in found.get("dedupe", ())},
        times={row[0]: ClockRow(*row) for row in found["clock"]},
    )
