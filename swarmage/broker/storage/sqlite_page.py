"""One page of SQLite's rows: the next messages of a queue and priority.

Python's sqlite3 lets go of the interpreter lock at each step of a statement, and in a busy process it takes up to 5 ms
to get it back. Packs read row by row could take long; read as one row of all of them, they take one step.
"""

from __future__ import annotations

import json
import sqlite3
from zlib import crc32

from swarmage.broker.queues.message import Message
from swarmage.broker.storage.checksum import EXPIRES, PRIME, start_of
from swarmage.broker.storage.pack import behind_facts, decode
from swarmage.broker.storage.pack_row import DONE, SUM, counts_of
from swarmage.broker.storage.sqlite_damage import Damage
from swarmage.broker.storage.sqlite_row import COLUMNS, checked, damaged
from swarmage.broker.storage.store import Page

_LANE = "destination = :destination AND priority = :priority"
_NEXT = f"FROM pack INDEXED BY packed WHERE {_LANE} AND id >"
# How many packs these are is found from their sizes, for which SQLite reads no messages.
_PAGE = f"""
WITH RECURSIVE page (number, amount, bytes) AS (
    SELECT * FROM (SELECT id, messages, length(data) {_NEXT} :after ORDER BY id LIMIT 1)
    UNION ALL
    SELECT id, amount + messages, bytes + length(data)
    FROM page CROSS JOIN pack ON id = (SELECT min(id) {_NEXT} number)
    WHERE amount + messages <= :most AND bytes + length(data) <= :most_bytes
)
SELECT json_group_array(json_array(
        pack.id, first, messages, pack.sum = {SUM} AND {_LANE}, length(data), counts, settled.sum
    )), CAST(group_concat(data, '') AS BLOB)
FROM page CROSS JOIN pack ON pack.id = number LEFT JOIN settled ON settled.id = number
"""  # noqa: S608 - constants only
_ALONE = f"""
SELECT {COLUMNS} FROM message INDEXED BY alone
WHERE {_LANE} AND due = 0 AND id > :after ORDER BY id LIMIT :most
"""  # noqa: S608


def read(connection: sqlite3.Connection, page: Page, number: int, salt: int) -> list[Message]:
    """Return the messages of a page of the destination of this number and salt; what was changed, as `Damaged`.

    Raises:
        Damage: the page holds what does not belong there, or lacks what does.
    """
    wanted = _wanted(page, number)
    while True:
        rows, data = connection.execute(_PAGE, wanted).fetchone()
        packs = json.loads(rows)
        messages: list[Message] = []
        start, last = 0, 0
        for pack, first, size, sound, length, text, noted in packs:
            if not sound or not last < first <= pack:
                raise Damage(f"its index names pack {pack} behind message {last}, which is not as it was written")
            counts = None if text is None else counts_of(pack, size, text, noted)
            messages += _unpack(page, (pack, first, size), data[start : start + length], counts, salt)
            start, last = start + length, pack
        if start != len(data or b""):
            raise Damage(f"the packs before message {last} are not as long as they were written")
        if messages or not packs:
            return messages if len(packs) > 1 else _begin(messages, page)
        wanted["after"] = last


def _wanted(page: Page, number: int) -> dict[str, int]:
    return {
        "destination": number,
        "priority": page.priority,
        "after": page.after,
        "most": page.most,
        "most_bytes": page.most_bytes,
    }


def _unpack(page: Page, row: tuple[int, int, int], data: bytes, counts: list[int] | None, salt: int) -> list[Message]:
    """Return the messages of a pack that are behind where the page begins, and not done."""
    pack, first, size = row
    name, after = page.destination, page.after
    messages: list[Message] = []
    base, behind = start_of(salt, page.priority), behind_facts(size)
    last, place = first - 1, -1
    for place, facts in enumerate(decode(data, size)):
        number, expires, start, head_size, body_size, expected, count, priority = facts
        begin, length = behind + start, head_size + body_size
        content = data[begin : begin + length]
        head, body = content[:head_size], content[head_size:]
        found = crc32(content, (number + base + expires * EXPIRES) % PRIME)
        sound = found == expected and len(content) == length and priority == page.priority
        if counts is not None:
            if counts[place] == DONE:
                last = max(last, number) if sound else last + 1
                continue
            count = counts[place] or count
        if not sound:
            last += 1  # its own number cannot be believed, and is not lower than this
            message: Message = damaged(last, name, page.priority, head, body)
        elif number <= last:
            raise Damage(f"it names message {number} behind message {last}")
        else:
            last = number
            message = Message(number, name, head, body)
            message.priority = priority
            message.expires = expires
            message.stored = True
        if last > after:
            message.count = count
            message.place = (pack, place, size)
            messages.append(message)
    if place + 1 != size:
        raise Damage(f"pack {pack} lacks messages")
    return messages


def _begin(messages: list[Message], page: Page) -> list[Message]:
    """Return the beginning of a pack, when all of it is too much for a page."""
    left = page.most_bytes
    for place, message in enumerate(messages[: page.most]):
        left -= len(message.head) + len(message.body)
        if left < 0 and place:
            return messages[:place]
    return messages[: page.most]


def read_alone(connection: sqlite3.Connection, page: Page, number: int, salt: int) -> list[Message]:
    """Return the messages of a page of a destination each of whose messages is a row of its own.

    Raises:
        Damage: the page holds what does not belong there, or lacks what does.
    """
    messages: list[Message] = []
    last = page.after
    for row in connection.execute(_ALONE, _wanted(page, number)).fetchall():
        if row[0] <= last or row[1:3] != (number, page.priority):
            raise Damage(f"its index does not fit message {row[0]}")
        last = row[0]
        messages.append(checked(row, page.destination, salt))
    return messages
