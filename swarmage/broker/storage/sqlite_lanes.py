"""What waits in a file, counted without reading it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass, field

from swarmage.broker.storage.pack_row import DONE, SUM, counts_of
from swarmage.broker.storage.sqlite_damage import Damage

_PACKS = f"""
SELECT destination, priority, count(*), sum(messages), min(first), max(expires), sum(pack.sum <> {SUM})
FROM pack INDEXED BY packed GROUP BY destination, priority
"""  # noqa: S608
_SETTLED = """
SELECT settled.id, messages, counts, settled.sum, destination, priority, length(data)
FROM settled LEFT JOIN pack ON pack.id = settled.id
"""
_ALONE = "SELECT destination, priority, count(*), min(id) FROM message WHERE due = 0 GROUP BY destination, priority"


@dataclass(slots=True)
class Lanes:
    """What waits, by the number of the destination and priority.

    Attributes:
        counts: how many messages.
        first: a number not higher than theirs.
        fading: destinations that hold messages with an expiry.
        done_bytes: what messages that are done still take in packs of which others are not, about.
    """

    counts: Counter[tuple[int, int]] = field(default_factory=Counter)
    first: dict[tuple[int, int], int] = field(default_factory=dict)
    fading: set[int] = field(default_factory=set)
    done_bytes: int = 0


def count_lanes(connection: sqlite3.Connection, held: int) -> Lanes:
    """Count what waits.

    Args:
        connection: to the file.
        held: how many messages were found that were held back when they came.

    Raises:
        Damage: tables and indexes do not hold the same messages, or are not as they were written.
    """
    lanes = Lanes()
    packs = wrong = 0
    for destination, priority, count, messages, first, expires, changed in connection.execute(_PACKS):
        lanes.counts[destination, priority] = messages
        lanes.first[destination, priority] = first
        if expires:
            lanes.fading.add(destination)
        packs += count
        wrong += changed
    if wrong:
        raise Damage(f"{wrong} of its packs are not as they were written")
    for number, messages, text, expected, destination, priority, size in connection.execute(_SETTLED):
        if destination is None:
            raise Damage(f"it has noted something of pack {number}, which it does not hold")
        done = counts_of(number, messages, text, expected).count(DONE)
        lanes.counts[destination, priority] -= done
        lanes.done_bytes += size * done // messages
    alone = 0
    for destination, priority, count, first in connection.execute(_ALONE):
        lanes.counts[destination, priority] = count
        lanes.first[destination, priority] = first
        alone += count
    if (packs, alone + held) != (_total(connection, "pack"), _total(connection, "message")):
        raise Damage("its indexes do not name the messages that it holds")
    return lanes


def _total(connection: sqlite3.Connection, table: str) -> int:
    total: int = connection.execute(f"SELECT count(*) FROM {table} NOT INDEXED").fetchone()[0]  # noqa: S608
    return total
