"""The heads of frames by their shape: those of one connection look alike, and one pattern cuts them all.

A head is read line by line once; the next one with the same headers in the same order is cut by a regular expression
made of them, at half the cost. Whatever does not fit it, such as an escape, goes the long way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_PLAIN = "[ -[\\]-~]*"  # printable ASCII but the backslash, which begins an escape
_LENGTH = "[0-9]{1,7}"
_MOST_SHAPES = 8  # who sends ever new ones costs us no memory
_MOST_HEADERS = 30
_NAME = re.compile("[!-9;-[\\]-~]+")  # others come escaped, and a pattern would misread them


class Shape:
    """The headers of a frame, in their order.

    Attributes:
        names: theirs.
        match: finds a head of this shape at a place in a text, with a group for each value.
        length: which of the values is the content-length.
    """

    __slots__ = ("length", "match", "names")

    def __init__(self, command: str, names: tuple[str, ...]) -> None:
        self.names = names
        self.length = names.index("content-length")
        values = (_LENGTH if name == "content-length" else _PLAIN for name in names)
        lines = "".join(f"{re.escape(name)}:({value})\n" for name, value in zip(names, values, strict=True))
        self.match = re.compile(f"{command}\n{lines}\n").match


class Shapes:
    """Those of one command that were seen on one connection.

    Attributes:
        last: that of the last one that was read line by line, None if it was too odd for a pattern.
    """

    def __init__(self, command: str) -> None:
        self.last: Shape | None = None
        self._command = command
        self._known: dict[tuple[str, ...], Shape | None] = {}

    def see(self, headers: Mapping[str, str]) -> None:
        """Take note of the headers of a frame that was read line by line."""
        names = tuple(headers)
        if names not in self._known:
            if len(self._known) == _MOST_SHAPES:
                return
            usable = "content-length" in headers and len(names) <= _MOST_HEADERS and all(map(_NAME.fullmatch, names))
            self._known[names] = Shape(self._command, names) if usable else None
        self.last = self._known[names] or self.last
