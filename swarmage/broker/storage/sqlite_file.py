"""Opening a file of the bus: the lock, the format, and what can be told of damage without reading a million bodies."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from swarmage.broker.events import event
from swarmage.broker.storage.migration import migrate
from swarmage.broker.storage.roots import note_roots
from swarmage.broker.storage.sqlite_damage import FAILURES, Damage, as_damage, in_use
from swarmage.broker.storage.sqlite_rows import SCHEMA, VERSION
from swarmage.broker.storage.wal import lost_commits
from swarmage.errors import ConfigError

log = logging.getLogger("swarmage.bus")

FILE_NAME = "bus.db"
SYNCHRONOUS = {"disk": "FULL", "os": "NORMAL"}
"""By durability: FULL syncs at each commit, NORMAL when the log is carried over into the file."""

MOST_STARTS = 1 << 23
"""A file that counts more is damaged: the numbers of a run's messages would not fit into its columns."""

LOG_PAGES = 4000
"""After so many pages the log is carried over into the file."""

# Without secure_delete=OFF, which Debian switches on, what is deleted is written once more, as zeros.
_SETTINGS = ("secure_delete=OFF", "journal_mode=WAL", f"wal_autocheckpoint={LOG_PAGES}")

Connect = Callable[[Path], sqlite3.Connection]


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection that waits for nobody, and that shuts every other process out from its first statement on.

    Connections of this process may be used beside it, and from any thread, one at a time.
    """
    # SQLite's own way for that: "unix-excl" in https://www.sqlite.org/vfs.html; the log's index stays in this process.
    uri = f"{path.absolute().as_uri()}?vfs=unix-excl"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=0, check_same_thread=False)


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep every other bus off the file, those of this process too, for which SQLite has no lock.

    Raises:
        ConfigError: there is one.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # where folders cannot be locked, other processes are kept off by SQLite
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise in_use(path) from error
        yield
    finally:
        os.close(folder)


def open_file(path: Path, durability: str = "disk", connecting: Connect = connect) -> sqlite3.Connection:
    """Open the file for this process alone, made with its folder where there is none, and in today's format.

    Raises:
        sqlite3.Error: it is in use, it is damaged, or it cannot be read.
        OSError: the folder cannot be made.
        ConfigError: its format is not known here.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    _check_log(path, sure=durability == "disk")
    connection = connecting(path)
    try:
        lock(connection)
        for pragma in (*_SETTINGS, f"synchronous={SYNCHRONOUS[durability]}"):
            connection.execute(f"PRAGMA {pragma}")
        _bring_up_to_date(connection, path)
        note_roots(connection, path)
    except BaseException as error:
        with contextlib.suppress(sqlite3.Error):
            connection.close()
        if isinstance(error, FAILURES):
            raise as_damage(error) from error
        raise
    return connection


def lock(connection: sqlite3.Connection) -> None:
    """Keep every other process out, and take text as it is; what does not fit shows in checksums."""
    take_any_text(connection)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    connection.execute("COMMIT")


def take_any_text(connection: sqlite3.Connection) -> None:
    """Read text that is no text any more without an error."""
    connection.text_factory = lambda text: text.decode(errors="replace")


def _check_log(path: Path, *, sure: bool) -> None:
    """See that SQLite will find in the log what was committed; afterwards it would be too late.

    One commit that is cut short is what a loss of power leaves, and was not confirmed. More of them are that only where
    not each commit was synced.
    """
    lost = lost_commits(path)
    if lost > 1 and sure:
        raise Damage(f"{lost} commits in its log {path.name}-wal cannot be read")
    if lost:
        log.warning(
            "%s-wal ends with %d commits that are incomplete, as a loss of power leaves them; they are dropped",
            path, lost, extra=event("log_cut", file=str(path), commits=lost),
        )  # fmt: skip


def _bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0 and not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        connection.execute("BEGIN IMMEDIATE")
        for statement in SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version={VERSION}")
        connection.execute("COMMIT")
    elif version != VERSION and definitions(connection) == expected_definitions():
        raise Damage(f"it says that its format is {version}, and has that of {VERSION}")
    elif 0 < version < VERSION:
        migrate(connection, path, version)
    elif version != VERSION:
        raise ConfigError(f"{path} was written by another version of the bus (format {version}), or is damaged")
    if definitions(connection) != expected_definitions():
        raise Damage("its tables are not those of the bus")


def definitions(connection: sqlite3.Connection) -> set[tuple[str, str, str]]:
    """Return the tables and indexes of an open file."""
    found = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    # str(), for a damaged file may say that its text is bytes, and take_any_text does not see those
    return {(str(kind), str(name), " ".join(str(sql).split())) for kind, name, sql in found}


def expected_definitions(schema: str = SCHEMA) -> set[tuple[str, str, str]]:
    """Return the tables and indexes of today's format, as SQLite keeps them."""
    with contextlib.closing(sqlite3.connect(":memory:")) as empty:
        empty.executescript(schema)
        return definitions(empty)
