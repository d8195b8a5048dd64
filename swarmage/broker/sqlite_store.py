"""Messages in one SQLite file, written by one thread.

Python's sqlite3 lets go of the interpreter lock at each step of a statement and takes it back afterwards, which is
slow while the event loop is busy. So a batch is written in few steps: many rows an INSERT, all ids in one DELETE.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from swarmage.broker.message import Message
from swarmage.broker.store import Batch, Done, Loaded
from swarmage.errors import BusFailed, ConfigError

FILE_NAME = "bus.db"
_VERSION = 1
_NUMBERS_A_RUN = 1 << 40
_CHUNKS = (256, 64, 16, 4, 1)  # few different statements, so that each stays compiled in the cache
_ROW = "(?,?,?,?,?,?,?,?)"
_SCHEMA = """
CREATE TABLE message (
    id INTEGER PRIMARY KEY, destination TEXT NOT NULL, due INTEGER NOT NULL, expires INTEGER NOT NULL,
    priority INTEGER NOT NULL, count INTEGER NOT NULL, head BLOB NOT NULL, body BLOB NOT NULL
);
CREATE TABLE run (number INTEGER NOT NULL);
INSERT INTO run VALUES (0);
"""


class SqliteStore:
    """Keeps messages in ``DIR/bus.db``.

    The connection belongs to the writer thread alone. ``hand_over`` runs a call in the thread of the event loop.
    """

    def __init__(self, directory: Path, hand_over: Callable[[Callable[[], None]], object]) -> None:
        self.path = directory / FILE_NAME
        self._hand_over = hand_over
        self._jobs: SimpleQueue[tuple[Batch, Done] | None] = SimpleQueue()
        self._loaded: SimpleQueue[Loaded | Exception] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="bus-store", daemon=True)

    def load(self) -> Loaded:
        """Open the file, creating it with its folder where there is none.

        Raises:
            ConfigError: another bus has the file, or it cannot be read.
        """
        self._thread.start()
        loaded = self._loaded.get()
        if isinstance(loaded, Exception):
            raise loaded
        return loaded

    def submit(self, batch: Batch, done: Done) -> None:
        """Hand the batch to the writer thread."""
        self._jobs.put((batch, done))

    def close(self) -> None:
        """Wait until what was submitted is written."""
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            connection, loaded = self._open()
        except (sqlite3.Error, OSError, ConfigError) as error:
            self._loaded.put(error if isinstance(error, ConfigError) else self._explain(error))
            return
        self._loaded.put(loaded)
        del loaded  # the backlog belongs to the queues; this frame lives as long as the bus
        while (job := self._jobs.get()) is not None:
            batch, done = job
            failure = self._try(connection, batch)
            self._hand_over(partial(done, failure))
            if failure is not None:
                break
        connection.close()

    def _try(self, connection: sqlite3.Connection, batch: Batch) -> BusFailed | None:
        try:
            _write(connection, batch)
        except BaseException as error:  # noqa: BLE001 - also no memory: who waits for a receipt must be told
            # What a failed fsync left behind is unknown, so it is never tried again.
            return BusFailed(f"the bus cannot write {self.path}: {error}; see to the disk, then start it again")
        return None

    def _open(self) -> tuple[sqlite3.Connection, Loaded]:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(self.path, isolation_level=None, timeout=0)
        try:
            return connection, self._prepare(connection)
        except BaseException:
            connection.close()
            raise

    def _prepare(self, connection: sqlite3.Connection) -> Loaded:
        for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=4000"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN IMMEDIATE")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={_VERSION}")
        elif version != _VERSION:
            raise ConfigError(f"{self.path} was written by another version of the bus (format {version})")
        run = connection.execute("UPDATE run SET number = number + 1 RETURNING number").fetchone()[0]
        connection.execute("COMMIT")
        rows = connection.execute(
            "SELECT id, destination, due, expires, priority, count, head, body FROM message ORDER BY id"
        )
        # Each run has its own range of numbers, so none is used twice although done messages leave no trace.
        return Loaded(run * _NUMBERS_A_RUN, [_message(*row) for row in rows])

    def _explain(self, error: sqlite3.Error | OSError) -> ConfigError:
        if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
            return ConfigError(f"{self.path} is in use by another bus; stop that one or give this one another folder")
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            return ConfigError(f"{self.path} is damaged or no file of the bus ({error}); restore it or move it away")
        return ConfigError(f"{self.path} cannot be opened: {error}")


def _message(
    number: int, destination: str, due: int, expires: int, priority: int, count: int, head: bytes, body: bytes
) -> Message:
    message = Message(number, destination, head, body)
    message.due = due
    message.expires = expires
    message.priority = priority
    message.count = count
    message.stored = True
    return message


def _write(connection: sqlite3.Connection, batch: Batch) -> None:
    connection.execute("BEGIN IMMEDIATE")
    _insert(connection, batch.inserts)
    if batch.counts:
        connection.executemany("UPDATE message SET count = ? WHERE id = ?", _swapped(batch.counts.items()))
    if batch.deletes:
        ids = json.dumps(batch.deletes)
        connection.execute("DELETE FROM message WHERE id IN (SELECT value FROM json_each(?))", (ids,))
    connection.execute("COMMIT")


def _swapped(pairs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(count, number) for number, count in pairs]


def _insert(connection: sqlite3.Connection, messages: list[Message]) -> None:
    start, left = 0, len(messages)
    for size in _CHUNKS:
        while left >= size:
            values: list[object] = []
            for m in messages[start : start + size]:
                values += (m.id, m.destination, m.due, m.expires, m.priority, m.count, m.head, m.body)
            connection.execute("INSERT INTO message VALUES " + ",".join([_ROW] * size), values)  # noqa: S608 - question marks only
            start += size
            left -= size
