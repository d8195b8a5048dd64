"""The checksum that each stored message carries."""

from __future__ import annotations

from zlib import crc32

_PRIME = 4_294_967_291
"""The largest below 2 ** 32: no single flipped bit of a number vanishes in the remainder."""


def salt_of(destination: str) -> int:
    """Return what a destination's name adds to the checksums of its messages, so that none changes its queue unseen."""
    return crc32(destination.encode())


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
    start = (number + salt + priority * 8_191 + due * 31 + expires * 127) % _PRIME
    return crc32(body, crc32(head, start))
