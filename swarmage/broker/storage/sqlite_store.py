"""Messages in one SQLite file, written by one thread.

What is written and read stands in sqlite_rows; here is the thread that does it, and what may go wrong with the disk.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from swarmage.broker.storage.reserve import BYTES, Reserve
from swarmage.broker.storage.sqlite_damage import FAILURES, Damage, StoreFull, cannot_go_on, cannot_open, is_full
from swarmage.broker.storage.sqlite_file import (
    FILE_NAME,
    LOG_PAGES,
    MOST_STARTS,
    Connect,
    alone,
    connect,
    open_file,
    take_any_text,
)
from swarmage.broker.storage.sqlite_reader import Reader
from swarmage.broker.storage.sqlite_rows import Rows
from swarmage.broker.storage.store import Batch, Done, Loaded, Page, Read
from swarmage.errors import ConfigError

CLOSE_SECONDS = 10.0
"""How long `SqliteStore.close` waits for a disk that does not answer."""

_NUMBERS_A_RUN = 1 << 40
_PAGE_SECONDS = 5  # who empties the log waits so long for a page that is being read


class SqliteStore:
    """Keeps messages in ``DIR/bus.db``.

    The connection belongs to the writer thread alone; pages of long queues have another one, and a thread to read them.
    ``hand_over`` runs a call in the thread of the event loop.
    """

    def __init__(
        self,
        directory: Path,
        hand_over: Callable[[Callable[[], None]], object],
        *,
        durability: str = "disk",
        reserve_bytes: int = BYTES,
        connecting: Connect = connect,
    ) -> None:
        """Take the settings; nothing is opened before `load`.

        Args:
            directory: where the file is.
            hand_over: see above.
            durability: ``disk`` or ``os``.
            reserve_bytes: how much of the disk is kept free for deletes.
            connecting: opens the file; tests have faults of a disk in there.
        """
        self.path = directory / FILE_NAME
        self._hand_over = hand_over
        self._durability = durability
        self._reserve_bytes = reserve_bytes
        self._connecting = connecting
        self._jobs: SimpleQueue[Callable[[Rows], bool] | None] = SimpleQueue()
        self._loaded: SimpleQueue[Loaded | Exception] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="bus-store", daemon=True)
        self._reader = Reader(self._connect_once_more, hand_over, partial(cannot_go_on, self.path, "read"), FAILURES)

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
        """Hand the batch to the writer thread; an empty one asks whether the disk has room again.

        ``done`` gets `StoreFull` when it has none; then nothing of the batch was stored, and it may be tried again.
        """
        self._jobs.put(partial(self._write if batch else self._make_room, batch, done))

    def read(self, page: Page, done: Read) -> None:
        """Have the page read as it is when what was submitted before is written."""
        self._jobs.put(partial(self._read, page, done))

    def close(self) -> None:
        """Wait until what was submitted is written, for a while."""
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        refused: Exception | None = None
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(alone(self.path))
                connection, loaded = self._open()
            except Exception as error:  # noqa: BLE001 - whoever called load() waits for an answer
                refused = error
            else:
                self._loaded.put(loaded)
                del loaded  # the backlog belongs to the queues; this frame lives as long as the bus
                self._serve(connection)
        if refused is not None:  # only now, when the folder is free again
            known = isinstance(refused, (*FAILURES, ConfigError))
            self._loaded.put(cannot_open(self.path, refused) if known else refused)

    def _serve(self, connection: sqlite3.Connection) -> None:
        rows = Rows(connection)
        while (job := self._jobs.get()) is not None and job(rows):
            pass
        self._reader.close(CLOSE_SECONDS)
        with contextlib.suppress(sqlite3.Error):  # what is left in the log, the next start carries over
            connection.close()

    def _write(self, batch: Batch, done: Done, rows: Rows) -> bool:
        try:
            if not self._reserve.allows(batch.size):
                self._hand_over(partial(done, self._full()))
                return True
            rows.write(batch)
        except FAILURES as error:
            if is_full(error) and self._clear(rows):
                self._hand_over(partial(done, self._full()))
                return True
            # What a failed fsync left behind is unknown, so it is never tried again.
            self._hand_over(partial(done, cannot_go_on(self.path, "write", error)))
            return False
        self._hand_over(partial(done, None))
        return True

    def _clear(self, rows: Rows) -> bool:
        """Undo a batch that has no room and make some for deletes; return whether the file is as before."""
        try:
            rows.roll_back()
            self._reserve.give_up()
            self._carry_over()
        except FAILURES:
            return False
        return True

    def _carry_over(self) -> bool:
        """Empty the log into the file, which gives its room back; return whether there was room for that."""
        try:
            busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            if not is_full(error):
                raise
            return False
        return not busy

    def _make_room(self, _: Batch, done: Done, rows: Rows) -> bool:
        try:
            # The log may hold more room than there is, or need it: a reserve made before would be given up at once.
            there = self._carry_over()
            free = self._connection.execute("PRAGMA freelist_count").fetchone()[0]
            page = self._connection.execute("PRAGMA page_size").fetchone()[0]
            there = there and self._reserve.make(reusable=free * page)
        except FAILURES as error:
            self._hand_over(partial(done, cannot_go_on(self.path, "write", error)))
            return False
        self._hand_over(partial(done, None if there else self._full()))
        return True

    def _full(self) -> StoreFull:
        return StoreFull(f"the disk of {self.path.parent} is full")

    def _read(self, page: Page, done: Read, rows: Rows) -> bool:
        try:
            reading = rows.reading(page)
            if not self._reader.take(reading, done):
                self._hand_over(partial(done, reading(self._connection)))
        except FAILURES as error:
            self._hand_over(partial(done, cannot_go_on(self.path, "read", error)))
            return False
        return True

    def _connect_once_more(self) -> sqlite3.Connection:
        connection = self._connecting(self.path)
        take_any_text(connection)
        return connection

    def _open(self) -> tuple[sqlite3.Connection, Loaded]:
        connection = open_file(self.path, self._durability, self._connecting)
        try:
            self._reserve = Reserve(self.path.parent, self._reserve_bytes)
            self._reserve.make()
            page = connection.execute("PRAGMA page_size").fetchone()[0]
            # What the log holds must fit into what is free when the reserve is given up.
            connection.execute(f"PRAGMA busy_timeout={_PAGE_SECONDS * 1000}")
            connection.execute(f"PRAGMA wal_autocheckpoint={min(LOG_PAGES, max(1, self._reserve.bytes // 2 // page))}")
            return connection, self._prepare(connection)
        except BaseException:  # raised again: nobody else will close what was opened here
            connection.close()
            raise

    def _prepare(self, connection: sqlite3.Connection) -> Loaded:
        self._connection = connection
        run = connection.execute("UPDATE run SET number = number + 1 RETURNING number").fetchall()[0][0]
        if not isinstance(run, int) or not 0 < run < MOST_STARTS:
            raise Damage("its count of starts cannot be right")
        loaded = Rows(connection).load()
        # Each run has its own range of numbers, so none is used twice although done messages leave no trace.
        loaded.next_number = run * _NUMBERS_A_RUN
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        loaded.bytes = max(0, loaded.bytes + (pages - free) * size)
        return loaded
