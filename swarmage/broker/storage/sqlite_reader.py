"""Reading beside the writer: long queues are read in a thread of their own, while the next group of changes syncs.

Each page is read as the file was when it was asked for, whatever is written meanwhile: its transaction begins in the
writer's thread, between two groups.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue

from swarmage.broker.queues.message import Message
from swarmage.broker.storage.store import Read

Reading = Callable[[sqlite3.Connection], list[Message]]
"""Reads one page on whichever connection it is given."""


class Reader:
    """One more connection to the file, and its thread; both are there from the first page on.

    All methods belong to the writer's thread.
    """

    def __init__(
        self,
        connecting: Callable[[], sqlite3.Connection],
        hand_over: Callable[[Callable[[], None]], object],
        explain: Callable[[Exception], Exception],
        failures: tuple[type[Exception], ...],
    ) -> None:
        """Take what it needs.

        Args:
            connecting: opens the file once more.
            hand_over: runs a call in the thread of the event loop.
            explain: makes an error of the file one that says what to do.
            failures: the errors of the file.
        """
        self._connecting = connecting
        self._hand_over = hand_over
        self._explain = explain
        self._failures = failures
        self._idle: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        self._jobs: SimpleQueue[tuple[sqlite3.Connection, Reading, Read] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def take(self, reading: Reading, done: Read) -> bool:
        """Read the file as it is now and call ``done``; return False when another page is being read."""
        if self._thread is None:
            self._start()
        if self._idle.empty():
            return False
        connection = self._idle.get_nowait()
        connection.execute("BEGIN")
        connection.execute("SELECT number FROM run").fetchone()  # only a statement begins it in truth
        self._jobs.put((connection, reading, done))
        return True

    def close(self, seconds: float) -> None:
        """Finish the page that is being read, for so many seconds, and close the connection."""
        if self._thread is None:
            return
        self._jobs.put(None)
        self._thread.join(seconds)
        if not self._idle.empty():
            self._idle.get_nowait().close()

    def _start(self) -> None:
        self._idle.put(self._connecting())
        self._thread = threading.Thread(target=self._run, name="bus-reader", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            connection, reading, done = job
            read: list[Message] | Exception
            try:
                read = reading(connection)
                connection.execute("COMMIT")
            except self._failures as error:
                read = self._explain(error)  # the bus stops for it, so what is left of this transaction does not matter
            self._idle.put(connection)
            self._hand_over(partial(done, read))
            del job, read, done, reading  # a page is not to live in this frame until the next one comes
