"""An environment of its own for each peer, made once, in a folder that git ignores."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.chaos.peers import Peer

STAMP = ".stamp"
_INSTALL_SECONDS = 600.0


def interpreter(cache: Path, peer: Peer) -> str:
    """Return the Python that runs a peer; its environment is made when it is not there, or of something else."""
    if not peer.packages:
        return sys.executable
    folder = cache / peer.environment
    wanted = "\n".join([sys.version, *peer.packages])
    stamp = folder / STAMP
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *peer.packages]
        subprocess.run(command, timeout=_INSTALL_SECONDS, check=True)
        stamp.write_text(wanted)
    return str(folder / "bin" / "python")
