"""One row of SQLite, and the message that it is."""

from __future__ import annotations

from swarmage.broker.queues.message import Damaged, Message
from swarmage.broker.storage.checksum import checksum

Row = tuple[int, int, int, int, int, int, int, bytes, bytes]
COLUMNS = "id, destination, priority, due, expires, count, sum, head, body"


def checked(row: Row, name: str, salt: int) -> Message:
    """Make a whole row a message of the destination of this name; what is not as it was written, a `Damaged` one."""
    return as_message(row, name) if fits(row, salt) else damaged(row[0], name, row[2], row[7], row[8])


def damaged(number: int, name: str, priority: int, head: object, body: object) -> Damaged:
    """Return what is stored and not as it was written."""
    made = Damaged(number, name, _as_bytes(head), _as_bytes(body), "its checksum does not fit")
    made.priority, made.stored = priority, True
    return made


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
    number, _, priority, due, expires, count, _, head, body = row
    message = Message(number, name, head, body)
    message.priority = priority
    message.due = due
    message.expires = expires
    message.count = count
    message.stored = True
    return message


def _as_bytes(value: object) -> bytes:
    """Return what a damaged row holds where bytes should be."""
    return value if isinstance(value, bytes) else repr(value).encode()
