"""Every row that can be read of a damaged file, by every way that leads to it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from swarmage.broker.storage import sqlite_notes
from swarmage.broker.storage.migration import OLDER_SCHEMAS
from swarmage.broker.storage.notes import Noted
from swarmage.broker.storage.pack_row import COLUMNS as PACK_COLUMNS
from swarmage.broker.storage.pack_row import all_rows, how_many_left
from swarmage.broker.storage.roots import first_page
from swarmage.broker.storage.sqlite_damage import FAILURES, as_damage, is_damage
from swarmage.broker.storage.sqlite_file import MOST_STARTS, connect, definitions, expected_definitions, lock
from swarmage.broker.storage.sqlite_row import COLUMNS, Row
from swarmage.broker.storage.sqlite_rows import SCHEMA

_INDEXES = {"message": {"alone": "due = 0", "lane": "due = 0", "held": "due > 0"}, "pack": {"packed": "TRUE"}}
"""By table: those of today and of older formats, and what a row must be for them to name it."""
_PART = 4_096

Key = int | tuple[int, int]
"""A message's number, or that of its pack and its place there."""


@dataclass(slots=True)
class Found:
    """What could be read.

    Attributes:
        names: destinations by their numbers.
        rows: messages, whether or not their checksums fit.
        expected: how many there were, as far as it can be told.
        lost_packs: packs that are named and cannot be read at all; each held up to `pack.MOST` messages.
        noted: what there is besides messages.
        runs: how often the bus was started on the file.
    """

    names: dict[int, str] = field(default_factory=dict)
    rows: dict[Key, Row] = field(default_factory=dict)
    expected: int = 0
    lost_packs: int = 0
    noted: Noted = field(default_factory=Noted)
    runs: int = 0


def salvage(path: Path) -> Found:
    """Read what can be read; the file may be changed by that, so it is a copy or there is one.

    Raises:
        sqlite3.Error: it is in use, or the disk fails.
    """
    found = Found()
    _renew_size(path)
    if not _attempt(path, found):
        _renew_first_page(path)
        _attempt(path, found)
    return found


def _renew_size(path: Path) -> None:
    """Write into the first page how many there are, where it says fewer: what is behind that would not be looked at."""
    with path.open("r+b") as file:
        head = file.read(32)
        page = int.from_bytes(head[16:18], "big")
        pages = path.stat().st_size // page if page >= 512 else 0
        if int.from_bytes(head[28:32], "big") < pages:
            file.seek(28)
            file.write(pages.to_bytes(4, "big"))
            os.fsync(file.fileno())


def _attempt(path: Path, found: Found) -> bool:
    """Read what can be read; return whether the file says where its tables are."""
    try:
        with contextlib.closing(connect(path)) as connection:
            lock(connection)
            if definitions(connection) not in [expected_definitions(each) for each in (SCHEMA, *OLDER_SCHEMAS)]:
                return False
            _read(connection, found)
    except FAILURES as error:
        if not is_damage(as_damage(error)):
            raise
        return False
    return True


def _renew_first_page(path: Path) -> None:
    """Put a page that says where the tables are over one that says nothing sensible."""
    first = bytearray(first_page(SCHEMA, path))
    first[28:32] = (path.stat().st_size // len(first)).to_bytes(4, "big")  # pages of the file
    first[32:40] = bytes(8)  # nothing is known to be unused
    first[24:28] = first[92:96] = b"\0\0\0\1"  # which makes the number of pages valid
    with path.open("r+b") as file:
        file.write(first)
        os.fsync(file.fileno())


def _read(connection: sqlite3.Connection, found: Found) -> None:
    names = _rows(connection, "SELECT id, name FROM destination")
    found.names = {number: name for number, name in names if isinstance(name, str)}
    for (number,) in _rows(connection, "SELECT number FROM run"):
        if isinstance(number, int) and number < MOST_STARTS:
            found.runs = max(found.runs, number)
    found.noted = sqlite_notes.salvage(connection)
    rows, named = _table(connection, "message", COLUMNS)
    for number, row in rows.items():
        found.rows[number] = row
    found.expected = len(named | rows.keys())
    _read_packs(connection, found)


def _read_packs(connection: sqlite3.Connection, found: Found) -> None:
    settled, _ = _table(connection, "settled", "id, counts, sum")
    packs, named = _table(connection, "pack", PACK_COLUMNS)
    found.lost_packs = len(named - packs.keys())
    for number, pack in packs.items():
        _, text, noted = settled.get(number, (number, None, None))
        _, rows = all_rows(pack, _data(connection, number), text, noted)
        found.rows |= {(number, place): row for place, row in enumerate(rows)}
        found.expected += max(len(rows), how_many_left(pack, text, noted))


def _data(connection: sqlite3.Connection, number: int) -> bytes:
    """Read the messages of a pack until the damage."""
    data = bytearray()
    try:
        with connection.blobopen("pack", "data", number, readonly=True) as blob:
            while part := blob.read(_PART):
                data += part
    except OverflowError:  # Python before 3.11.3 opens no row with such a high number (python/cpython issue 100370)
        for (whole,) in _rows(connection, "SELECT data FROM pack WHERE id = ?", number):
            return whole if isinstance(whole, bytes) else b""
    except FAILURES as error:
        if not is_damage(as_damage(error)):
            raise
    return bytes(data)


def _table(connection: sqlite3.Connection, table: str, columns: str) -> tuple[dict[int, Any], set[int]]:
    """Return the rows of a table by their numbers, as far as they can be read, and the numbers that indexes name."""
    rows: dict[int, Any] = {}
    select = f"SELECT {columns} FROM {table} NOT INDEXED"  # noqa: S608
    for order in ("ASC", "DESC"):  # a bad page ends one of them before it and the other one behind it
        for row in _rows(connection, f"{select} ORDER BY id {order}"):
            if row[0] in rows:
                break
            rows[row[0]] = row
    numbers: set[int] = set()
    for index, condition in _INDEXES.get(table, {}).items():
        named = f"SELECT id FROM {table} INDEXED BY {index} WHERE {condition}"  # noqa: S608
        numbers.update(number for (number,) in _rows(connection, named))
    for number in numbers - rows.keys():
        for row in _rows(connection, f"{select} WHERE id = ?", number):
            rows[row[0]] = row
    return rows, numbers


def _rows(connection: sqlite3.Connection, query: str, *values: int) -> Iterator[Any]:
    """Yield rows until the damage."""
    try:
        yield from connection.execute(query, values)
    except FAILURES as error:
        if not is_damage(as_damage(error)):
            raise
