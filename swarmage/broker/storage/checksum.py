"""The checksum that each stored message carries."""

from __future__ import annotations

from zlib import crc32

PRIME = 4_294_967_291
"""The largest below 2 ** 32: no single flipped bit of a number vanishes in the remainder."""

EXPIRES = 127
"""By what an expiry is multiplied in there."""


def salt_of(destination: str) -> int:
    """Return what a destination's name adds to the checksums of its messages, so that none changes its queue unseen."""
    return crc32(destination.encode())


def start_of(salt: int, priority: int) -> int:
    """Return where the checksums of all messages of a queue and priority begin, but for their numbers and expiries."""
    return salt + priority * 8_191


def checksum(number: int, salt: int, priority: int, due: int, expires: int, head: bytes, body: bytes) -> int:
    """Return the checksum over everything of a message but its delivery count, which changes too often.

    Args:
        number: the message's.
        salt: of its destination.
        priority: the message's.
        due: in milliseconds.
        expires: in milliseconds.
        head: header lines.
        body: the message's.
    """
    start = (number + start_of(salt, priority) + due * 31 + expires * EXPIRES) % PRIME
    return crc32(body, crc32(head, start))
