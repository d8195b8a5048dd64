"""One row of SQLite that holds a pack: what protects it, and the messages that are in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any
from zlib import crc32

from swarmage.broker.storage.checksum import PRIME
from swarmage.broker.storage.pack import behind_facts, decode, how_many
from swarmage.broker.storage.sqlite_damage import Damage
from swarmage.broker.storage.sqlite_row import Row

UNFIT = -1
"""Stands for the checksum of a message that is not whole."""

DONE = -1
"""Stands for the delivery count of a message that is done."""

COLUMNS = "id, destination, priority, first, messages, expires, sum"
"""Of a pack, all but its data."""

PACKS = """
SELECT pack.id, destination, priority, first, messages, expires, pack.sum, counts, settled.sum, data
FROM pack NOT INDEXED LEFT JOIN settled ON settled.id = pack.id ORDER BY pack.id
"""
"""Reads all packs of a file: their `COLUMNS`, what is noted of them, the checksum of that, and their data."""

SUM = (
    f"(pack.id % {PRIME} + first % {PRIME} * 3 + destination * 8191 + priority * 131071 + messages * 31 + expires)"
    f" % {PRIME}"
)
"""What `row_sum` returns, in the words of SQL."""


def row_sum(number: int, destination: int, priority: int, first: int, messages: int, expires: int) -> int:
    """Return the checksum over the columns of a pack; its messages have their own."""
    start = number % PRIME + first % PRIME * 3
    return (start + destination * 8_191 + priority * 131_071 + messages * 31 + expires) % PRIME


def settled_sum(number: int, counts: str) -> int:
    """Return the checksum of what is noted of a pack."""
    return crc32(f"{number}\0{counts}".encode(errors="replace"))


def counts_of(number: int, messages: int, text: object, expected: object) -> list[int]:
    """Return what is noted of each message of a pack: its delivery count, `DONE`, or 0 for nothing.

    Raises:
        Damage: what is noted is not as it was written.
    """
    if text is None:
        return [0] * messages
    if not isinstance(text, str) or settled_sum(number, text) != expected:
        raise Damage(f"what it has noted of pack {number} is not as it was written")
    counts: list[int] = json.loads(text)
    if len(counts) != messages:
        raise Damage(f"what it has noted of pack {number} is not about {messages} messages")
    return counts


def rows_of(destination: int, data: bytes, noted: Sequence[int]) -> Iterator[Row]:
    """Yield the messages of a pack that are not done, each as a row of its own would be."""
    behind = behind_facts(len(noted))
    for now, facts in zip(noted, decode(data, len(noted)), strict=False):
        number, expires, start, head, body, expected, count, priority = facts
        if now != DONE:
            middle = behind + start + head
            content = data[behind + start : middle], data[middle : middle + body]
            whole = middle + body <= len(data)
            yield (number, destination, priority, 0, expires, now or count, expected if whole else UNFIT, *content)


def how_many_left(pack: Sequence[Any], text: object, noted: object) -> int:
    """Return how many messages of a pack are not done, as far as what protects it can be believed; else 1 at least.

    Takes what `all_rows` does.
    """
    columns: list[int] = list(pack[:-1])
    number, messages, expected = columns[0], columns[4], pack[-1]
    if not all(isinstance(value, int) for value in columns) or row_sum(*columns) != expected:
        return 1
    try:
        return messages - counts_of(number, messages, text, noted).count(DONE)
    except Damage:
        return messages


def all_rows(pack: Sequence[Any], data: object, text: object, noted: object) -> tuple[str, list[Row]]:
    """Return what is wrong with a pack, empty for nothing, and what can be read of its messages, each as a row.

    Where it cannot be told which of them are done, they all come: what is delivered twice is not lost.

    Args:
        pack: its `COLUMNS`.
        data: the rest of it.
        text: what is noted of it.
        noted: the checksum of that.
    """
    *columns, expected = pack
    number, destination, _, _, messages, _ = columns
    if not isinstance(data, bytes) or not all(isinstance(value, int) for value in columns):
        return f"pack {number} cannot be understood", []
    problem = ""
    if row_sum(*columns) != expected:
        problem = f"pack {number} is not as it was written"
        messages = how_many(data)
    elif len(data) < behind_facts(messages):
        problem = f"pack {number} lacks messages"
    try:
        counts = counts_of(number, messages, text, noted)
    except Damage as damage:
        problem, counts = str(damage), [0] * messages
    return problem, list(rows_of(destination, data, counts))
