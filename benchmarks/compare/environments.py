"""An environment of its own for each peer, made once, in a folder that git ignores."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

NODE = "node"
"""The name of the environment that is made by npm."""

STAMP = ".stamp"
PLOT = ("matplotlib>=3.8",)
_INSTALL_SECONDS = 600.0


class NotInstalled(Exception):
    """Something that the comparison needs is not here; the message says what to do."""


class Installed(Protocol):
    """A peer, as it is installed: nothing where it needs no packages."""

    @property
    def packages(self) -> tuple[str, ...]:
        """What pip or npm is given."""
        ...

    @property
    def environment(self) -> str:
        """The name of the environment."""
        ...


def prepare(cache: Path, peers: Iterable[Installed]) -> None:
    """Make each environment that is not there yet, or was made of something else.

    Raises:
        NotInstalled: pip or npm could not install something.
    """
    for name, packages in dict.fromkeys((peer.environment, peer.packages) for peer in peers if peer.packages):
        make(cache / name, packages)


def make(folder: Path, packages: tuple[str, ...]) -> None:
    """Make one environment, unless it is there already; raises as `prepare` does."""
    stamp = folder / STAMP
    wanted = "\n".join([sys.version, *packages])
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if folder.name == NODE:
        npm = shutil.which("npm")
        if npm is None:
            raise NotInstalled("npm is not installed; on Debian: apt-get install npm; or leave BullMQ out")
        _run([npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), *packages])
    else:
        venv.create(folder, with_pip=True)
        _run([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *packages])
    stamp.write_text(wanted)


def interpreter(cache: Path, peer: Installed) -> str:
    """Return what runs the program of a peer."""
    if not peer.packages:
        return sys.executable
    return "node" if peer.environment == NODE else str(cache / peer.environment / "bin" / "python")


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"`{' '.join(command)}` is not done after {_INSTALL_SECONDS:.0f} s") from error
    if done.returncode != 0:
        raise NotInstalled(f"`{' '.join(command)}` did not work; it said:\n{(done.stdout + done.stderr)[-2000:]}")
