"""What a process and its children have used so far, as the kernel counts it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PROC = Path("/proc")
_REST_SECONDS = 0.1
_REST_SHARE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What was used.

    Attributes:
        cpu_seconds: in user and system mode, by all threads, in steps of 10 ms.
        written_bytes: pages made dirty that have to reach a disk; a page that is written over twice before the kernel
            writes it counts once.
        rss_bytes: memory held at the moment.
    """

    cpu_seconds: float = 0.0
    written_bytes: int = 0
    rss_bytes: int = 0

    def since(self, earlier: Cost) -> Cost:
        """Return what was used in between; the memory is that of now."""
        return Cost(
            cpu_seconds=self.cpu_seconds - earlier.cpu_seconds,
            written_bytes=self.written_bytes - earlier.written_bytes,
            rss_bytes=self.rss_bytes,
        )


def cost_of(pid: int, *, alone: bool = False) -> Cost:
    """Return what the process has used, and unless ``alone`` those it started."""
    cpu, written, rss = 0.0, 0, 0
    for member in [pid] if alone else tree(pid):
        try:
            stat = _stat(member)
            io = (_PROC / str(member) / "io").read_text()
            resident = (_PROC / str(member) / "statm").read_text().split()[1]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended just now
        cpu += (int(stat[11]) + int(stat[12])) / _TICK
        written += int(io.partition("\nwrite_bytes: ")[2].partition("\n")[0])
        rss += int(resident) * _PAGE
    return Cost(cpu_seconds=cpu, written_bytes=written, rss_bytes=rss)


def cost_at_rest(pid: int, timeout: float = 10.0) -> Cost:
    """Return what was used once the process has done what it had put off, or does not get done with it in time."""
    deadline = time.monotonic() + timeout
    before = cost_of(pid)
    while True:
        time.sleep(_REST_SECONDS)
        now = cost_of(pid)
        if now.since(before).cpu_seconds < _REST_SECONDS * _REST_SHARE or time.monotonic() > deadline:
            return now
        before = now


def _stat(pid: int) -> list[str]:
    """Return the fields of the process behind its name, from the state on."""
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def memory_of(pid: int) -> tuple[int, int]:
    """Return the bytes of memory that the process, without its children, holds now, and the most it ever held."""
    status = (_PROC / str(pid) / "status").read_text()
    now, most = (int(status.partition(name)[2].split()[0]) * 1024 for name in ("VmRSS:", "VmHWM:"))
    return now, most


def tree(pid: int) -> list[int]:
    """Return the process and all those that came of it."""
    children: dict[int, list[int]] = {}
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            try:
                children.setdefault(int(_stat(int(folder.name))[1]), []).append(int(folder.name))
            except (FileNotFoundError, ProcessLookupError):
                continue
    tree = [pid]
    for member in tree:  # which grows meanwhile
        tree += children.get(member, [])
    return tree
