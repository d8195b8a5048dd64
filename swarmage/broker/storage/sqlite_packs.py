"""Packs as rows of SQLite: what waits in queues, many messages in a row.

A row is written once and deleted once. Which of its messages are done meanwhile, and how often the others were
delivered in vain, stands in the small table ``settled``, where most packs never have a row.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from swarmage.broker.queues.message import Message
from swarmage.broker.storage.checksum import start_of
from swarmage.broker.storage.pack import COUNT_BYTES, FACTS_BYTES, Pack, encode
from swarmage.broker.storage.pack_row import DONE, counts_of, row_sum, rows_of, settled_sum

SCHEMA = """
CREATE TABLE pack (
    id INTEGER PRIMARY KEY, destination INTEGER NOT NULL, priority INTEGER NOT NULL, first INTEGER NOT NULL,
    messages INTEGER NOT NULL, expires INTEGER NOT NULL, sum INTEGER NOT NULL, data BLOB NOT NULL
);
CREATE INDEX packed ON pack (destination, priority);
CREATE TABLE settled (id INTEGER PRIMARY KEY, counts TEXT NOT NULL, sum INTEGER NOT NULL);
"""

_CHUNKS = (1024, 256, 64, 16, 4, 1)  # few different statements, so that each stays compiled in the cache
_MOST_KNOWN = 1_000
_SETTLED = """
SELECT json_group_array(json_array(id, counts, sum)) FROM settled WHERE id IN (SELECT value FROM json_each(?))
"""
_WHOLE = f"""
SELECT coalesce(sum(messages), 0), coalesce(sum(length(data) - {COUNT_BYTES} - messages * {FACTS_BYTES}), 0)
FROM pack WHERE destination = ? AND id NOT IN (SELECT id FROM settled)
"""  # noqa: S608
_PARTLY = """
SELECT pack.id, messages, counts, settled.sum, data FROM pack JOIN settled ON settled.id = pack.id WHERE destination = ?
"""

Values = tuple[object, ...]


class Packs:
    """What is written of packs to one open file. Belongs to the writer thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._take_noted()

    def _take_noted(self) -> None:
        self._noted = {number for (number,) in self._connection.execute("SELECT id FROM settled")}
        self._known: dict[int, list[int]] = {}  # what stands there, of packs that were changed lately

    def insert(self, lanes: Iterable[tuple[int, int, Sequence[Message]]]) -> None:
        """Write messages, and note in them where they are.

        Args:
            lanes: the number of a destination, its salt, and messages of one priority in the order of their numbers.
        """
        rows = [
            row_of(destination, pack)
            for destination, salt, lane in lanes
            for pack in encode(lane, start_of(salt, lane[0].priority))
        ]
        insert(self._connection, "pack", rows)

    def settle(self, deletes: Sequence[Message], counts: Mapping[Message, int]) -> None:
        """Note what became of messages that are in packs, and delete the packs that nothing is left of."""
        changes: defaultdict[tuple[int, int], dict[int, int]] = defaultdict(dict)
        for message, count in counts.items():
            if message.place is not None:
                pack, place, size = message.place
                changes[pack, size][place] = count
        for message in deletes:
            if message.place is not None:
                pack, place, size = message.place
                changes[pack, size][place] = DONE
        if changes:
            self._note(changes)

    def _note(self, changes: Mapping[tuple[int, int], Mapping[int, int]]) -> None:
        """Write what became of messages, by pack and its size, and by place."""
        partly = {pack: size for (pack, size), changed in changes.items() if not _is_all(changed, size)}
        gone = [pack for pack, _ in changes if pack not in partly]
        self._learn(partly)
        rows: list[Values] = []
        for pack, size in partly.items():
            known = self._known[pack]
            for place, count in changes[pack, size].items():
                if known[place] != DONE:
                    known[place] = count
            if _is_done(known):
                gone.append(pack)
            else:
                text = json.dumps(known, separators=(",", ":"))
                rows.append((pack, text, settled_sum(pack, text)))
                self._noted.add(pack)
        insert(self._connection, "settled", rows)
        self._delete(gone)

    def _learn(self, packs: Mapping[int, int]) -> None:
        """See that what is noted of these packs, which hold so many messages, is known."""
        if len(self._known) > _MOST_KNOWN:
            self._known = {pack: self._known[pack] for pack in packs if pack in self._known}
        unknown = [pack for pack in packs if pack not in self._known]
        self._known |= {pack: [0] * packs[pack] for pack in unknown}
        if not self._noted.isdisjoint(unknown):
            found = self._connection.execute(_SETTLED, (json.dumps(unknown),)).fetchone()[0]
            for pack, text, expected in json.loads(found):
                self._known[pack] = counts_of(pack, packs[pack], text, expected)

    def _delete(self, packs: Sequence[int]) -> None:
        if packs:
            remove(self._connection, "pack", packs)
        for pack in packs:
            self._known.pop(pack, None)
        noted = self._noted.intersection(packs)
        if noted:
            remove(self._connection, "settled", [*noted])
            self._noted -= noted

    def roll_back(self) -> None:
        """Believe nothing but what is in the file."""
        self._take_noted()


def empty(connection: sqlite3.Connection, destination: int) -> tuple[int, int]:
    """Delete what waits for a destination; return how many messages that were, and their bytes."""
    count, size_bytes = connection.execute(_WHOLE, (destination,)).fetchone()
    for pack, messages, text, expected, data in connection.execute(_PARTLY, (destination,)).fetchall():
        for *_, head, body in rows_of(destination, data, counts_of(pack, messages, text, expected)):
            count += 1
            size_bytes += len(head) + len(body)
    connection.execute("DELETE FROM settled WHERE id IN (SELECT id FROM pack WHERE destination = ?)", (destination,))
    connection.execute("DELETE FROM pack WHERE destination = ?", (destination,))
    return count, size_bytes


def row_of(destination: int, pack: Pack) -> Values:
    """Return what a pack is as a row; note in its messages where they are.

    Raises:
        sqlite3.IntegrityError: the messages are not in the order of their numbers, or a number is there twice.
    """
    messages, data = pack
    last, size, before = messages[-1].id, len(messages), -1
    for place, message in enumerate(messages):
        if message.id <= before:
            raise sqlite3.IntegrityError(f"message {message.id} comes behind message {before}")
        before = message.id
        message.place = (last, place, size)
    facts = (last, destination, messages[0].priority, messages[0].id, size, max([m.expires for m in messages]))
    return (*facts, row_sum(*facts), data)


def _is_all(changed: Mapping[int, int], size: int) -> bool:
    return len(changed) == size and _is_done(changed.values())


def _is_done(counts: Iterable[int]) -> bool:
    return all(count == DONE for count in counts)


def remove(connection: sqlite3.Connection, table: str, numbers: Sequence[int]) -> None:
    """Delete rows with one statement."""
    ids = json.dumps(numbers)
    connection.execute(f"DELETE FROM {table} WHERE id IN (SELECT value FROM json_each(?))", (ids,))  # noqa: S608


def insert(connection: sqlite3.Connection, table: str, rows: Sequence[Values]) -> None:
    """Insert rows, or put them in the place of those there were, with few statements."""
    start, left = 0, len(rows)
    for size in _CHUNKS:
        while left >= size:
            some = rows[start] if size == 1 else [value for row in rows[start : start + size] for value in row]
            connection.execute(_statement(table, len(rows[start]), size), some)
            start, left = start + size, left - size


@cache
def _statement(table: str, columns: int, rows: int) -> str:
    mark = f"({','.join('?' * columns)})"
    verb = "REPLACE" if table == "settled" else "INSERT"
    return f"{verb} INTO {table} VALUES {','.join([mark] * rows)}"
