"""A file system in memory, small enough to be filled: the disk of a bus."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from swarmage.errors import ConfigError

SIZE = "256m"
_PAGE = 4096


@cache
def no_small_disk() -> str:
    """Return why no small file system can be mounted; empty when one can."""
    if os.geteuid() != 0 or not (shutil.which("mount") and shutil.which("unshare")):
        return "only root can mount a small file system to fill"
    tried = _run("unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt")
    return f"no file system can be mounted: {tried}" if tried else ""


class SmallDisk:
    """Mounted on a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mounted = False

    def mount(self) -> None:
        """Make it and its folder.

        Raises:
            ConfigError: it cannot be.
        """
        self._folder.mkdir(mode=0o700, parents=True)
        failed = _run("mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "tmpfs", str(self._folder))
        if failed:
            raise ConfigError(f"no small disk for the bus can be mounted on {self._folder}: {failed}")
        self._mounted = True

    def unmount(self) -> None:
        """Remove it, and all that is on it; safe twice."""
        if self._mounted:
            _run("umount", str(self._folder))
            self._mounted = False


def fill(filler: Path) -> None:
    """Write a file until there is no room left."""
    block = b"\0" * (1 << 20)
    with filler.open("ab", buffering=0) as file:
        while len(block) >= _PAGE:
            try:
                file.write(block)
            except OSError:
                block = block[: len(block) // 2]


def _run(*command: str) -> str:
    """Run a command; return what it complains of, empty when it does not."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - of our own making
    return "" if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"
