"""Messages in one SQLite file, written by one thread.

What is written and read stands in sqlite_rows; here is the thread that does it, and what may go wrong with the file.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from swarmage.broker.sqlite_rows import SCHEMA, VERSION, Rows
from swarmage.broker.store import Batch, Done, Loaded, Page, Read
from swarmage.errors import BusFailed, ConfigError

FILE_NAME = "bus.db"
_NUMBERS_A_RUN = 1 << 40


class SqliteStore:
    """Keeps messages in ``DIR/bus.db``.

    The connection belongs to the writer thread alone. ``hand_over`` runs a call in the thread of the event loop.
    """

    def __init__(self, directory: Path, hand_over: Callable[[Callable[[], None]], object]) -> None:
        self.path = directory / FILE_NAME
        self._hand_over = hand_over
        self._jobs: SimpleQueue[Callable[[Rows], bool] | None] = SimpleQueue()
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
        self._jobs.put(partial(self._write, batch, done))

    def read(self, page: Page, done: Read) -> None:
        """Have the writer thread read the page when it has written what was submitted before."""
        self._jobs.put(partial(self._read, page, done))

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
        rows = Rows(connection)
        while (job := self._jobs.get()) is not None and job(rows):
            pass
        connection.close()

    def _write(self, batch: Batch, done: Done, rows: Rows) -> bool:
        try:
            rows.write(batch)
        except (sqlite3.Error, OSError) as error:
            # What a failed fsync left behind is unknown, so it is never tried again.
            failure = BusFailed(f"the bus cannot write {self.path}: {error}; see to the disk, then start it again")
            self._hand_over(partial(done, failure))
            return False
        self._hand_over(partial(done, None))
        return True

    def _read(self, page: Page, done: Read, rows: Rows) -> bool:
        try:
            self._hand_over(partial(done, rows.read(page)))
        except (sqlite3.Error, OSError) as error:
            self._hand_over(partial(done, BusFailed(f"the bus cannot read {self.path}: {error}; see to the disk")))
            return False
        return True

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
            for statement in SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={VERSION}")
        elif version != VERSION:
            raise ConfigError(f"{self.path} was written by another version of the bus (format {version})")
        run = connection.execute("UPDATE run SET number = number + 1 RETURNING number").fetchone()[0]
        connection.execute("COMMIT")
        loaded = Rows(connection).load()
        # Each run has its own range of numbers, so none is used twice although done messages leave no trace.
        loaded.next_number = run * _NUMBERS_A_RUN
        return loaded

    def _explain(self, error: sqlite3.Error | OSError) -> ConfigError:
        if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
            return ConfigError(f"{self.path} is in use by another bus; stop that one or give this one another folder")
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            return ConfigError(f"{self.path} is damaged or no file of the bus ({error}); restore it or move it away")
        return ConfigError(f"{self.path} cannot be opened: {error}")
