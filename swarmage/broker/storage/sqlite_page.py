"""One page of SQLite's rows: the next messages of a queue and priority.

Python's sqlite3 lets go of the interpreter lock at each step of a statement, and in a busy process it takes up to 5 ms
to get it back. A page read row by row could take seconds; read as one row of all bodies, it takes one step.
"""

from __future__ import annotations

import json
import sqlite3

from swarmage.broker.queues.message import Message
from swarmage.broker.storage.checksum import checksum
from swarmage.broker.storage.sqlite_damage import Damage
from swarmage.broker.storage.sqlite_row import COLUMNS, checked, message_of
from swarmage.broker.storage.store import Page

_AT_LEAST = 64
_LANE = "destination = :destination AND priority = :priority AND due = 0 AND id > :after"
_SIZES = f"SELECT id, length(head) + length(body) AS size FROM message INDEXED BY lane WHERE {_LANE} ORDER BY id LIMIT"  # noqa: S608
# Sizes come first and alone, because for them SQLite reads no bodies. The first one tells about how many are wanted;
# only where so many are too much, they are added up one by one, which takes SQLite twice as long.
_PAGE = f"""
WITH first AS MATERIALIZED (
    SELECT :most_bytes / max(1, coalesce((SELECT size FROM ({_SIZES} 1)), 1)) AS fit
), guess AS MATERIALIZED (
    SELECT max(id) AS last, sum(size) AS bytes FROM ({_SIZES} (SELECT min(:most, max(1, fit)) FROM first))
), page AS MATERIALIZED (
    SELECT max(id) AS last FROM (
        SELECT id, size, sum(size) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) AS bytes
        FROM ({_SIZES} (SELECT min(:most, {_AT_LEAST} + fit) FROM first))
    ) WHERE bytes <= :most_bytes OR bytes = size
)
SELECT json_group_array(json_array(id, expires, count, sum, length(head), length(body))),
    CAST(group_concat(head, '') AS BLOB), CAST(group_concat(body, '') AS BLOB)
FROM (
    SELECT * FROM message INDEXED BY lane WHERE {_LANE} AND id <= (
        SELECT CASE WHEN bytes <= :most_bytes THEN last ELSE (SELECT last FROM page) END FROM guess
    ) ORDER BY id
)
"""  # noqa: S608 - constants only
_IDS = "SELECT id FROM message WHERE destination = ? AND priority = ? AND due = 0 AND id > ? ORDER BY id LIMIT ?"


def read(connection: sqlite3.Connection, page: Page, number: int, salt: int) -> list[Message]:
    """Return the messages of a page of the destination of this number and salt; what was changed, as `Damaged`.

    Raises:
        Damage: the page holds what does not belong there, or lacks what does.
    """
    try:
        messages = _read_at_once(connection, page, number, salt)
    except (TypeError, ValueError):  # a value is not of the kind that was written
        messages = None
    except sqlite3.OperationalError as error:
        # JSON in SQL complains of such values too, and that has no code of its own.
        if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR:
            raise
        messages = None
    return _read_singly(connection, page, number, salt) if messages is None else messages


def _read_at_once(connection: sqlite3.Connection, page: Page, number: int, salt: int) -> list[Message] | None:
    """Return the messages of a page, None when not all of them are as they were written."""
    wanted = {
        "destination": number,
        "priority": page.priority,
        "after": page.after,
        "most": page.most,
        "most_bytes": page.most_bytes,
    }
    facts, heads, bodies = connection.execute(_PAGE, wanted).fetchone()
    messages, head_start, body_start, last = [], 0, 0, page.after
    for id_, expires, count, expected, head_size, body_size in json.loads(facts):
        if id_ <= last:  # and so names one twice, or lacks one
            raise Damage(f"its index names message {id_} behind message {last}")
        last, head_end, body_end = id_, head_start + head_size, body_start + body_size
        head, body = heads[head_start:head_end], bodies[body_start:body_end]
        if checksum(id_, salt, page.priority, 0, expires, head, body) != expected:
            return None
        messages.append(message_of(id_, page.destination, page.priority, expires, count, head, body))
        head_start, body_start = head_end, body_end
    return messages


def _read_singly(connection: sqlite3.Connection, page: Page, number: int, salt: int) -> list[Message]:
    """Return the messages of a page, row by row; what is not as it was written, as `Damaged`.

    Raises:
        Damage: the page holds what does not belong there, or lacks what does.
    """
    wanted = (number, page.priority, page.after, page.most)
    messages: list[Message] = []
    left = page.most_bytes
    last = page.after
    for (id_,) in connection.execute(_IDS, wanted).fetchall():
        row = connection.execute(f"SELECT {COLUMNS} FROM message WHERE id = ?", (id_,)).fetchone()  # noqa: S608
        if row is None or id_ <= last or row[1:3] != (number, page.priority):
            raise Damage(f"its index does not fit message {id_}")
        last = id_
        messages.append(checked(row, page.destination, salt))
        left -= len(messages[-1].head) + len(messages[-1].body)
        if left <= 0:
            break
    return messages
