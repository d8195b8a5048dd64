"""Room kept free: a file that is given up when the disk is full, so that what is done can still be deleted."""

from __future__ import annotations

import os
from pathlib import Path

NAME = "reserve"
BYTES = 64 * 1024 * 1024
_PART = 16
_MARGIN = 4


class Reserve:
    """The file ``DIR/reserve``. Belongs to the writer thread.

    Attributes:
        bytes: how large it is, or is to be: 64 MB, or on a small disk a sixteenth of it.
    """

    def __init__(self, directory: Path, most: int = BYTES) -> None:
        self._path = directory / NAME
        disk = os.statvfs(directory)
        self.bytes = min(most, disk.f_blocks * disk.f_frsize // _PART)

    def make(self, reusable: int = 0) -> bool:
        """Make the file when there is room for it and some more; return whether it is there.

        Args:
            reusable: bytes of the bus's file that hold nothing any more.

        Raises:
            OSError: the disk fails in another way than being full.
        """
        if self._path.exists() and self._path.stat().st_size >= self.bytes:
            return True
        # Without the margin it would be made, given up and made again by turns.
        if self._free < self.bytes + (0 if reusable >= self.bytes else self.bytes // _MARGIN):
            return False
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(handle, 0, self.bytes)
            os.fsync(handle)
        except OSError:
            self.give_up()
            return False
        finally:
            os.close(handle)
        return True

    def allows(self, size: int) -> bool:
        """Whether so many bytes may be written to the log without a risk that the reserve is too small to empty it.

        Few may always; if they have no room, giving up the reserve makes some.
        """
        return size <= self.bytes // _MARGIN or self._free >= 2 * size

    @property
    def _free(self) -> int:
        disk = os.statvfs(self._path.parent)
        return disk.f_bavail * disk.f_frsize

    def give_up(self) -> None:
        """Delete the file."""
        self._path.unlink(missing_ok=True)
