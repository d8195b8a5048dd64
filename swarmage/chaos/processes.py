"""The processes of a run: how they start, who is whose child, and how all of them end, each by its own pid."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from swarmage.chaos.ledger import LEDGER_VARIABLE
from swarmage.clock import SYSTEM_CLOCK
from swarmage.errors import ConfigError

_PROC = Path("/proc")
LOOK_SECONDS = 0.02


def check_machine() -> None:
    """Refuse a machine on which nobody can say which processes there are.

    Raises:
        ConfigError: there is no /proc.
    """
    if not (_PROC / "self" / "stat").exists():
        raise ConfigError("chaos finds the processes that it strikes in /proc, which is not there; run it on Linux")


def parents() -> dict[int, int]:
    """Return the parent of each process that runs."""
    found = {}
    for path in _PROC.glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state != "Z":  # one that only waits to be reaped has ended
            found[int(path.parent.name)] = int(parent)
    return found


def children(pid: int) -> list[int]:
    """Return the processes that one has started and that still run."""
    return sorted(child for child, parent in parents().items() if parent == pid)


def descendants(pid: int) -> list[int]:
    """Return the children of one, and theirs."""
    of = parents()
    found = [pid]
    for each in found:  # grows meanwhile
        found += [child for child, parent in of.items() if parent == each]
    return found[1:]


def strike(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process, if it still runs."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


class Process:
    """One process of a run, in a session of its own: a Ctrl-C in the terminal reaches this program alone."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path, *, orders: bool = False
    ) -> None:
        """Start it.

        Args:
            command: what follows ``python``.
            environment: all of it.
            log: the file to which it says what it has to say.
            orders: whether `order` is used.
        """
        with log.open("ab") as file:
            self._process = subprocess.Popen(  # noqa: S603 - the command is this interpreter
                [sys.executable, *command],
                env=environment,
                stdin=subprocess.PIPE if orders else subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        self.pid = self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def order(self, text: str) -> None:
        """Write a line to its stdin; one that has just been killed need not read it."""
        pipe = self._process.stdin
        assert pipe is not None
        if pipe.closed:
            return
        with contextlib.suppress(BrokenPipeError):
            pipe.write(text.encode() + b"\n")
            pipe.flush()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        self._process.send_signal(number)

    def wait(self, seconds: float) -> int | None:
        """Return its exit code, None when it has not ended in time."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End it at once, and reap it."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()


def marked(ledger: Path) -> list[int]:
    """Return all processes that were started for a run, also those whose parents are gone, but not this one."""
    mark = f"{LEDGER_VARIABLE}={ledger}".encode()
    found = []
    for path in _PROC.glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes().split(b"\0") and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
        except OSError:  # it has ended, or belongs to somebody else
            continue
    return found


def end_all(ledger: Path, seconds: float) -> list[int]:
    """Kill whatever still belongs to a run; return what could not be ended in time."""
    deadline = SYSTEM_CLOCK.monotonic() + seconds
    while left := marked(ledger):
        for pid in left:
            strike(pid, signal.SIGKILL)
        if SYSTEM_CLOCK.monotonic() > deadline:
            return left
        threading.Event().wait(LOOK_SECONDS)
    return []
