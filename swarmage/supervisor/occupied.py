"""Whose folder it is: one embedded bus for each, and who comes second is told who was first."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from swarmage.errors import ConfigError

FILE = "pid"


@contextmanager
def occupied(folder: Path, command: str) -> Iterator[None]:
    """Occupy a folder for as long as the block lasts; a process that is killed gives it up too.

    Args:
        folder: where a bus keeps its messages.
        command: what occupies it, as people call it.

    Raises:
        ConfigError: another process has it; the message names its pid.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder / FILE, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be used: {error.strerror}") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = os.read(handle, 200).decode(errors="replace").strip() or "another process"
            raise ConfigError(f"{folder} is in use by {who}; stop that one, or set SWARMAGE_HOME to another") from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"`{command}`, pid {os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)
