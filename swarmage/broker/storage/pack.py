"""A pack: messages of one queue and priority that were stored together, as one value.

First comes how many they are, then the facts of each, all of one size, then heads and bodies. Each message has a
checksum of its own and is found by its own facts alone, so what is damaged in one does not hit the others.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from zlib import crc32

from swarmage.broker.queues.message import Message
from swarmage.broker.storage.checksum import EXPIRES, PRIME

MOST = 125
"""Messages in one pack; eight packs are one page of a long queue."""

MOST_BYTES = 128 * 1024
"""Bytes of their heads and bodies, but for a message that is larger alone."""

_COUNT = struct.Struct("<I")
_FACTS = struct.Struct("<qqIIIIIB")
FACTS_BYTES = _FACTS.size
COUNT_BYTES = _COUNT.size

Facts = tuple[int, int, int, int, int, int, int, int]
"""Of a message: its number, its expiry in milliseconds, where its head begins behind all facts, the bytes of its head
and of its body, which follows, its checksum, its delivery count when it was stored, and its priority."""

Pack = tuple[Sequence[Message], bytes]
"""Messages, and what they are as one value."""


def encode(messages: Sequence[Message], start: int, sums: Mapping[int, int] | None = None) -> Iterator[Pack]:
    """Yield packs of messages of one queue and priority, which are in the order of their numbers.

    Args:
        messages: at least one; as many are in a pack as it holds.
        start: of their checksums, as `start_of` returns it.
        sums: these checksums by number, where they are known.
    """
    facts: list[bytes] = []
    content: list[bytes] = []
    first = size = 0
    for place, message in enumerate(messages):
        number, expires, head, body = message.id, message.expires, message.head, message.body
        head_size, body_size = len(head), len(body)
        if facts and (size + head_size + body_size > MOST_BYTES or len(facts) == MOST):
            yield messages[first:place], _join(facts, content)
            facts, content, first, size = [], [], place, 0
        found = sums[number] if sums else crc32(body, crc32(head, (number + start + expires * EXPIRES) % PRIME))
        count, priority = message.count, message.priority
        facts.append(_FACTS.pack(number, expires, size, head_size, body_size, found, count, priority))
        content += (head, body)
        size += head_size + body_size
    yield messages[first:], _join(facts, content)


def _join(facts: list[bytes], content: list[bytes]) -> bytes:
    return b"".join([_COUNT.pack(len(facts)), *facts, *content])


def decode(data: bytes, messages: int) -> Iterator[Facts]:
    """Return the facts of so many messages, or of as many as the pack is long enough for."""
    there = max(0, min(messages, (len(data) - COUNT_BYTES) // FACTS_BYTES))
    return _FACTS.iter_unpack(data[COUNT_BYTES : COUNT_BYTES + there * FACTS_BYTES])


def behind_facts(messages: int) -> int:
    """Return where the heads and bodies of so many messages begin."""
    return COUNT_BYTES + messages * FACTS_BYTES


def how_many(data: bytes) -> int:
    """Return how many messages a pack says that it was made of."""
    count: int = _COUNT.unpack(data[:COUNT_BYTES].ljust(COUNT_BYTES, b"\0"))[0]
    return min(count, len(data) // FACTS_BYTES)
