"""From older formats of the file to today's, one step per format, all of them in one transaction.

To add a format: raise `sqlite_rows.VERSION`, keep the statements it replaces in a step here, and a file of the old
format in the tests.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from swarmage.broker.events import event
from swarmage.broker.storage.checksum import checksum, salt_of
from swarmage.broker.storage.notes import ClockRow
from swarmage.broker.storage.packing import MESSAGES_SCHEMA, pack_messages
from swarmage.broker.storage.sqlite_notes import sum_of
from swarmage.broker.storage.sqlite_rows import VERSION
from swarmage.clock import SYSTEM_CLOCK

log = logging.getLogger("swarmage.bus")

_CHECKSUMS = """
ALTER TABLE message RENAME TO old;
DROP INDEX lane;
DROP INDEX held;
DROP INDEX fading;
CREATE TABLE message (
    id INTEGER PRIMARY KEY, destination INTEGER NOT NULL, priority INTEGER NOT NULL, due INTEGER NOT NULL,
    expires INTEGER NOT NULL, count INTEGER NOT NULL, sum INTEGER NOT NULL, head BLOB NOT NULL, body BLOB NOT NULL
);
INSERT INTO message SELECT old.id, destination, priority, due, expires, count,
    checksum(old.id, name, priority, due, expires, head, body), head, body
    FROM old JOIN destination ON destination.id = old.destination ORDER BY old.id;
DROP TABLE old;
CREATE INDEX lane ON message (destination, priority) WHERE due = 0;
CREATE INDEX held ON message (destination) WHERE due > 0;
CREATE INDEX fading ON message (destination) WHERE expires > 0
"""


_NOTES = """
CREATE TABLE durable (
    id INTEGER PRIMARY KEY, login TEXT NOT NULL, name TEXT NOT NULL, pattern TEXT NOT NULL, sum INTEGER NOT NULL
);
CREATE TABLE dedupe (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, key BLOB NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE clock (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, sum INTEGER NOT NULL)
"""
OLDER_SCHEMAS = (MESSAGES_SCHEMA + _NOTES, MESSAGES_SCHEMA)
"""Of the formats before today's, from which something can be saved as it is."""


def migrate(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """Bring an open file from an older format to today's; a copy as it was stays beside it."""
    kept = path.with_name(f"{path.name}.v{version}")
    _keep(connection, kept)
    connection.execute("BEGIN IMMEDIATE")
    try:
        for old in range(version, VERSION):
            _STEPS[old](connection)
        connection.execute(f"PRAGMA user_version={VERSION}")
        connection.execute("COMMIT")
    except BaseException:  # raised again: no half migration may stay, whatever ended it
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    log.info(
        "%s was brought from format %d to %d; as it was, it is kept in %s", path, version, VERSION, kept,
        extra=event("migrated", file=str(path), old=version, new=VERSION, kept=str(kept)),
    )  # fmt: skip


def _keep(connection: sqlite3.Connection, kept: Path) -> None:
    """Write a copy whole or not at all; reading the file itself would give up SQLite's lock on it."""
    draft = kept.with_name(kept.name + ".part")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    connection.execute("VACUUM INTO ?", (str(draft),))
    sync(draft)
    draft.replace(kept)
    sync(kept.parent)


def sync(path: Path) -> None:
    """Have the disk hold a file, or the names in a folder, before anything depends on it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _add_checksums(connection: sqlite3.Connection) -> None:
    def found(number: int, name: str, priority: int, due: int, expires: int, head: bytes, body: bytes) -> int:
        return checksum(number, salt_of(name), priority, due, expires, head, body)

    before = connection.execute("SELECT count(*) FROM message").fetchone()
    connection.create_function("checksum", 7, found, deterministic=True)
    for statement in _CHECKSUMS.split(";"):
        connection.execute(statement)
    if connection.execute("SELECT count(*) FROM message").fetchone() != before:
        raise sqlite3.DatabaseError("messages would be lost on the way to the next format")


def _add_notes(connection: sqlite3.Connection) -> None:
    for statement in _NOTES.split(";"):
        connection.execute(statement)
    oldest = connection.execute("SELECT min(id) FROM message").fetchone()[0]
    if oldest is not None:  # nothing is known of its age but that it came before now
        row = ClockRow(oldest, int(SYSTEM_CLOCK.wall() * 1000))
        connection.execute("INSERT INTO clock VALUES (?, ?, ?)", (*row, sum_of(row)))


_STEPS: dict[int, Callable[[sqlite3.Connection], None]] = {1: _add_checksums, 2: _add_notes, 3: pack_messages}
"""By the format they start from."""
