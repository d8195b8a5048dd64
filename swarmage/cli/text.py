"""What terminals and pipes get to see: escaped, in columns, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec


def printable(text: str, keep: str = "") -> str:
    """Return the text with everything escaped that could move a terminal's cursor, colour it or reorder its line."""
    return "".join(char if char.isprintable() or char in keep else _escape(char) for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape", "backslashreplace").decode("ascii")


def as_json(value: object, indent: int | None = 2) -> str:
    """Return any value as JSON, without an indent in one line; what JSON has no form for stands there as its repr."""
    try:
        text = _dumps(msgspec.to_builtins(value, str_keys=True, enc_hook=repr), indent)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        text = json.dumps(repr(value))
    return "".join(char if char.isprintable() or char == "\n" else _json_escape(char) for char in text)


def _dumps(value: Any, indent: int | None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _json_escape(char: str) -> str:
    return json.dumps(char)[1:-1] if ord(char) != 0x7F else "\\u007f"


def columns(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table as plain text, numbers to the right, so that grep and people can read it."""
    cells = [[printable(str(cell)) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(head), *cells]) for i in range(len(head))]
    to_right = [bool(rows) and all(isinstance(row[i], int | float) for row in rows) for i in range(len(head))]
    lines = []
    for row in [list(head), *cells]:
        padded = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, to_right, strict=True)
        )
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def ago(seconds: float) -> str:
    """Return a length of time in its one or two largest units."""
    left = max(0, int(seconds))
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if left >= size:
            parts.append(f"{left // size} {unit}")
            left %= size
    return " ".join(parts[:2]) or "0 s"


def in_units(size: int) -> str:
    """Return a number of bytes in its largest unit."""
    value, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{size} B" if unit == "B" else f"{value:.1f} {unit}"
