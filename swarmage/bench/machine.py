"""What one must know about a machine to compare figures that were taken on it with others."""

from __future__ import annotations

import os
import platform
import sqlite3
from pathlib import Path


def facts(data: Path) -> dict[str, str]:
    """Return what one must know about the machine to compare with another, and how busy it was."""
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "CPU": _line(Path("/proc/cpuinfo"), "model name") or platform.machine(),
        "memory": _line(Path("/proc/meminfo"), "MemTotal"),
        "kernel": f"{platform.system()} {platform.release().partition('-')[0]}",
        "file system": _file_system(data),
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "load average before": f"{os.getloadavg()[0]:.2f}",
    }


def _line(path: Path, name: str) -> str:
    for line in path.read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _file_system(data: Path) -> str:
    """Return the type of the file system that holds the data: on one in memory, syncing costs nothing."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    there = [(len(point), kind) for point, kind in mounts if data.resolve().is_relative_to(point)]
    return max(there)[1] if there else "unknown"
