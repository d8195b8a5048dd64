"""What may be wrong with a file of the bus, told from the errors of SQLite."""

from __future__ import annotations

import errno
import shlex
import sqlite3
from pathlib import Path

from swarmage.errors import BusFailed, ConfigError

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_DAMAGED_AT_START = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_READONLY}  # header and tables are not understood

FAILURES = (sqlite3.Error, OSError, MemoryError, UnicodeDecodeError)
"""What working on a file may raise; the last one when SQLite quotes what is no text any more."""


class Damage(sqlite3.DatabaseError):
    """The file is not as it was written."""


class StoreFull(Exception):
    """The disk has no room for what was to be inserted; nothing of it was stored."""


def repair_command(path: Path) -> str:
    """Return what to run for a damaged file."""
    return f"swarmage bus --repair --data {shlex.quote(str(path.parent))}"


def is_damage(error: Exception) -> bool:
    """Tell whether the file is at fault, not the disk below it or the bus above."""
    if isinstance(error, Damage | UnicodeDecodeError):
        return True
    return isinstance(error, sqlite3.Error) and _code(error) in _DAMAGED


def as_damage(error: Exception) -> Exception:
    """Return as `Damage` what SQLite says, in many words, of a file that it can open and not understand."""
    strange = isinstance(error, sqlite3.Error) and _code(error) in _DAMAGED_AT_START
    return Damage(str(error)) if strange or isinstance(error, UnicodeDecodeError) else error


def is_full(error: Exception) -> bool:
    """Tell whether the disk has no room."""
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, errno.EDQUOT}
    return isinstance(error, sqlite3.Error) and _code(error) == sqlite3.SQLITE_FULL


def _code(error: sqlite3.Error) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)  # absent from what the module itself raises
    return None if code is None else code & 0xFF


def in_use(path: Path) -> ConfigError:
    """Say that there is another bus on the file."""
    return ConfigError(f"{path} is in use by another bus; stop that one or give this one another folder")


def cannot_open(path: Path, error: Exception) -> ConfigError:
    """Explain why the file cannot be opened."""
    if isinstance(error, ConfigError):
        return error
    if isinstance(error, sqlite3.Error) and _code(error) == sqlite3.SQLITE_BUSY:
        return in_use(path)
    if is_damage(error):
        return ConfigError(f"{path} is damaged or no file of the bus ({error}); run: {repair_command(path)}")
    return ConfigError(f"{path} cannot be opened: {error}")


def cannot_go_on(path: Path, doing: str, error: Exception) -> BusFailed:
    """Explain why a running bus has to stop."""
    if is_damage(error):
        return BusFailed(f"{path} is damaged: {error}; the bus stops, run: {repair_command(path)}")
    return BusFailed(f"the bus cannot {doing} {path}: {error}; see to the disk, then start it again")
