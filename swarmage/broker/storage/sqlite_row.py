"""One row of SQLite, and the message that it is."""

from __future__ import annotations

from swarmage.broker.queues.message import Damaged, Message
from swarmage.broker.storage.checksum import checksum

Row = tuple[int, int, int, int, int, int, int, bytes, bytes]
COLUMNS = "id, destination, priority, due, expires, count, sum, head, body"


def checked(row: Row, name: str, salt: int) -> Message:
    """Make a whole row a message of the destination of this name; what is not as it was written, a `Damaged` one."""
    if fits(row, salt):
        return as_message(row, name)
    damaged = Damaged(row[0], name, _as_bytes(row[7]), _as_bytes(row[8]), "its checksum does not fit")
    damaged.priority, damaged.stored = row[2], True
    return damaged


def fits(row: Row, salt: int) -> bool:
    """Tell whether a whole row, of a destination with this salt, is as it was written."""
    id_, _, priority, due, expires, count, expected, head, body = row
    if not isinstance(head, bytes) or not isinstance(body, bytes) or not isinstance(count, int):
        return False
    if not all(isinstance(number, int) for number in (priority, due, expires)):
        return False
    return checksum(id_, salt, priority, due, expires, head, body) == expected


def as_message(row: Row, name: str) -> Message:
    """Make a whole row a message of the destination of this name."""
    id_, _, priority, due, expires, count, _, head, body = row
    return message_of(id_, name, priority, expires, count, head, body, due)


def _as_bytes(value: object) -> bytes:
    """Return what a damaged row holds where bytes should be."""
    return value if isinstance(value, bytes) else repr(value).encode()


def message_of(
    number: int, destination: str, priority: int, expires: int, count: int, head: bytes, body: bytes, due: int = 0
) -> Message:
    """Make what a row says a message."""
    message = Message(number, destination, head, body)
    message.priority = priority
    message.expires = expires
    message.count = count
    message.due = due
    message.stored = True
    return message
