"""Where the tables and indexes of a file begin, noted beside it.

The file itself says that in its first page alone. If the disk loses that page, this is how the others are found again.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from pathlib import Path

_SELECT = "SELECT name, rootpage FROM sqlite_master WHERE rootpage > 0"


def roots_of(path: Path) -> Path:
    """Return where it is noted for a file."""
    return path.with_name(f"{path.name}.roots")


def note_roots(connection: sqlite3.Connection, path: Path) -> None:
    """Write it down for an open file where it has changed: after a migration, and after the file was compacted."""
    text = json.dumps(dict(sorted(connection.execute(_SELECT))))
    noted = roots_of(path)
    if noted.exists() and noted.read_text(errors="replace") == text:
        return
    try:
        _write(noted, text)
    except OSError:  # a full disk is no reason not to start; what is noted and wrong would be worse than nothing
        noted.unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.draft")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(handle)
    draft.replace(path)


def first_page(schema: str, path: Path) -> bytes:
    """Return a first page that says where the tables of this schema begin: as noted, else as in a file just made."""
    with contextlib.closing(sqlite3.connect(":memory:")) as made:
        made.executescript(schema)
        made.execute("PRAGMA writable_schema=ON")
        for name, root in _noted(path).items():
            made.execute("UPDATE sqlite_master SET rootpage = ? WHERE name = ?", (root, name))
        made.commit()
        size: int = made.execute("PRAGMA page_size").fetchone()[0]
        return made.serialize()[:size]


def _noted(path: Path) -> dict[str, int]:
    try:
        found = json.loads(roots_of(path).read_text(errors="replace"))
    except (OSError, ValueError):
        return {}
    roots = found.items() if isinstance(found, dict) else ()
    return {name: root for name, root in roots if isinstance(root, int) and root > 1}
