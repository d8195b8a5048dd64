"""Saving what can be read of a damaged file, and making a sound one smaller."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from swarmage.broker.queues.damaged import set_aside_copy
from swarmage.broker.queues.message import Damaged, Message
from swarmage.broker.storage.checksum import salt_of
from swarmage.broker.storage.migration import sync
from swarmage.broker.storage.notes import DURABLE, Notes
from swarmage.broker.storage.packing import repack
from swarmage.broker.storage.roots import note_roots, roots_of
from swarmage.broker.storage.salvage import salvage
from swarmage.broker.storage.sqlite_damage import FAILURES, cannot_open
from swarmage.broker.storage.sqlite_file import alone, open_file
from swarmage.broker.storage.sqlite_row import Row, as_message, fits
from swarmage.broker.storage.sqlite_rows import Rows
from swarmage.broker.storage.store import Batch
from swarmage.broker.storage.wal import lost_commits
from swarmage.clock import SYSTEM_CLOCK, Clock
from swarmage.errors import ConfigError

_AT_ONCE = 1_000
_NUMBERS_A_RUN = 1 << 40
_SQLITE_LOCK, _SQLITE_LOCK_BYTES = 0x40000002, 510  # where every process that uses the file holds a lock


@dataclass(slots=True)
class Saved:
    """What a repair came to.

    Attributes:
        kept: the file as it was.
        saved: messages that are as they were written.
        damaged: messages that are not; they are in ``/queue/DLQ.damaged``.
        durables: durable subscriptions.
        lost: messages that the file names and does not hold any more, as far as it can be told.
        lost_packs: rows of up to 125 messages of which it is not known how many they held.
        lost_commits: commits in the log that cannot be read.
    """

    kept: Path
    saved: int = 0
    damaged: int = 0
    durables: int = 0
    lost: int = 0
    lost_packs: int = 0
    lost_commits: int = 0


def repair(path: Path, clock: Clock = SYSTEM_CLOCK) -> Saved:
    """Move every message that can be read to a fresh file in the place of the old one, which stays beside it.

    Raises:
        ConfigError: there is no such file, a bus runs on it, or the disk has no room for another one.
    """
    if not path.exists():
        raise ConfigError(f"there is no {path.name} in {path.parent}; name the bus's folder with --data")
    date = datetime.fromtimestamp(clock.wall(), UTC).strftime("%Y%m%dT%H%M%SZ")
    saved = Saved(path.with_name(f"{path.name}.damaged-{date}"), lost_commits=lost_commits(path))
    fresh = path.with_name(f"{path.name}.repaired")
    try:
        with alone(path):
            _renew(path, fresh, saved)
    except FAILURES as error:
        raise cannot_open(path, error) from error
    return saved


def _renew(path: Path, fresh: Path, saved: Saved) -> None:
    _keep(path, saved.kept)
    for name in (fresh, fresh.with_name(fresh.name + "-wal")):
        name.unlink(missing_ok=True)
    with contextlib.closing(open_file(fresh)) as connection:
        _fill(connection, path, saved)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    for suffix in ("-wal", "-shm"):  # whose frames would be taken for the new file's
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    fresh.replace(path)
    roots_of(path).unlink(missing_ok=True)  # the next start notes those of the new one
    roots_of(fresh).unlink(missing_ok=True)
    sync(path.parent)


def _keep(path: Path, kept: Path) -> None:
    """Copy the file and its log as they are, while nobody uses them."""
    with path.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _SQLITE_LOCK_BYTES, _SQLITE_LOCK)
        except OSError as error:
            raise ConfigError(f"{path} is in use by another bus; stop that one first") from error
        for name in ("", "-wal"):
            there, copy = path.with_name(path.name + name), kept.with_name(kept.name + name)
            if there.exists():
                os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
                shutil.copyfile(there, copy)
                sync(copy)
    sync(kept.parent)


def _fill(connection: sqlite3.Connection, path: Path, saved: Saved) -> None:
    with contextlib.suppress(*FAILURES, ConfigError):  # which brings an older format up to date
        open_file(path).close()
    found = salvage(path)
    durables = found.noted.durables.values()
    kept: list[Message] = []
    aside: list[Damaged] = []
    for message in _messages(found.names, [*found.rows.values()], {row.queue for row in durables}):
        if isinstance(message, Damaged):
            aside.append(message)
        else:
            kept.append(message)
    saved.saved, saved.damaged, saved.durables = len(kept), len(aside), len(durables)
    saved.lost = max(0, found.expected - saved.saved - saved.damaged)
    saved.lost_packs = found.lost_packs
    # The number of a damaged one cannot be believed either: a bus may never come to it, or have none left behind it.
    highest = max((message.id for message in kept), default=0)
    kept += [set_aside_copy(message, number) for number, message in enumerate(aside, highest + 1)]
    rows = Rows(connection)
    batch = Batch()
    batch.notes = Notes(opened=[*durables], times=[*found.noted.times.values()])
    for start in range(0, len(kept), _AT_ONCE):
        batch.inserts = kept[start : start + _AT_ONCE]
        rows.write(batch)
        batch = Batch()
    if batch.notes is not None:  # there are no messages
        rows.write(batch)
    # Higher than all runs before, the old file's own count of which may be what is damaged.
    last = max(found.runs, (highest + len(aside)) // _NUMBERS_A_RUN)
    connection.execute("UPDATE run SET number = ?", (last + 1,))


def _messages(names: dict[int, str], rows: Sequence[Row], durable: set[str]) -> Iterator[Message]:
    """Yield what was found, by whichever destination its checksum fits."""
    for row in sorted(rows, key=lambda row: row[0]):
        number = row[0]
        head, body = (value if isinstance(value, bytes) else repr(value).encode() for value in row[7:9])
        name = next(
            (name for name in (names.get(row[1]), _named_in(head), *durable) if name and fits(row, salt_of(name))), None
        )
        if name and (not name.startswith(DURABLE) or name in durable):
            yield as_message(row, name)
        elif name:
            yield Damaged(number, name, head, body, "its durable subscription cannot be read any more")
        else:
            yield Damaged(number, names.get(row[1]) or "unknown", head, body, "its checksum does not fit")


def _named_in(head: bytes) -> str:
    """Return the destination as the sender wrote it, should the table of names be what is damaged."""
    for line in head.split(b"\n"):
        if line.startswith(b"destination:"):
            name = line.removeprefix(b"destination:").decode(errors="replace").replace("\\c", ":")
            return name if name.startswith("/") else f"/queue/{name}"
    return ""


def compact(path: Path) -> tuple[int, int]:
    """Give what the file does not need back to the disk; return its size before and after.

    Raises:
        ConfigError: there is no such file, a bus runs on it, it is damaged, or the disk has no room for another one.
    """
    if not path.exists():
        raise ConfigError(f"there is no {path.name} in {path.parent}; name the bus's folder with --data")
    try:
        with alone(path), contextlib.closing(open_file(path)) as connection:
            Rows(connection).load()
            repack(connection)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            before = path.stat().st_size
            connection.execute("VACUUM")
            note_roots(connection, path)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except FAILURES as error:
        raise cannot_open(path, error) from error
    return before, path.stat().st_size
