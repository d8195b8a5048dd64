"""How much memory another process takes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_PS_SECONDS = 2.0


def resident_bytes(pid: int) -> int:
    """Return the memory that a process holds, 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * _PAGE
    except FileNotFoundError:
        return 0 if Path("/proc/self/statm").exists() else _asked_of_ps(pid)
    except ProcessLookupError:
        return 0


def _asked_of_ps(pid: int) -> int:
    try:
        command = ["ps", "-o", "rss=", "-p", str(pid)]
        said = subprocess.run(command, capture_output=True, check=False, timeout=_PS_SECONDS).stdout  # noqa: S603
    except subprocess.TimeoutExpired:
        return 0
    return int(said or b"0") * 1024
