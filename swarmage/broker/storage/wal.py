"""The log beside the file: whether SQLite will read all of it that was ever committed.

SQLite takes the first frame whose checksum does not fit for the torn end that a loss of power leaves, and forgets
everything behind it. After a flipped bit in the middle that would be confirmed messages, and nobody would know. So the
log is read before SQLite sees it, which also deletes it in the end.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

_HEADER_SIZE = 32
_FRAME_SIZE = 24
_MAGIC = 0x377F0682  # plus 1 where the sums are over big-endian words
_MASK = 0xFFFFFFFF

Sums = tuple[int, int]


def lost_commits(path: Path) -> int:
    """Return how many commits in the log of a file nobody will read, because something before them does not fit."""
    try:
        with path.with_name(path.name + "-wal").open("rb") as file:
            return _count(file)
    except FileNotFoundError:
        return 0


def _count(file: BinaryIO) -> int:
    header = file.read(_HEADER_SIZE)
    if len(header) < _HEADER_SIZE:
        return 0
    magic, _, page_size, _ = struct.unpack(">4I", header[:16])
    words = struct.Struct(">II" if magic & 1 else "<II")
    sums = _add(header[:24], words, (0, 0))
    if magic & ~1 != _MAGIC or sums != struct.unpack(">2I", header[24:]):
        return sum(1 for _ in iter(lambda: file.read(4096), b""))  # nothing of it can be believed
    lost, fitting = 0, True
    while len(frame := file.read(_FRAME_SIZE + page_size)) == _FRAME_SIZE + page_size:
        same_log = frame[8:16] == header[16:24]
        if fitting:
            found = _add(frame[:8], words, sums)
            found = _add(frame[_FRAME_SIZE:], words, found)
            fitting = same_log and found == struct.unpack(">2I", frame[16:24])
            sums = found
        # A frame of an older log, which this one has not overwritten yet, is carried over already.
        if not fitting and same_log and frame[4:8] != b"\0\0\0\0":
            lost += 1
    return lost


def _add(data: bytes, words: struct.Struct, sums: Sums) -> Sums:
    first, second = sums
    for even, odd in words.iter_unpack(data):
        first = (first + even + second) & _MASK
        second = (second + odd + first) & _MASK
    return first, second
