"""The parent's end of one child process."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import IO

from swarmage.supervisor.protocol import Report, decode_report

LAST_WORDS_SECONDS = 1.0
"""How long a child that has exited may keep its pipe open, through processes it left, before it counts as gone."""


@dataclass(frozen=True, slots=True)
class ChildSaid:
    """A child reported something."""

    child: ChildProcess
    report: Report


@dataclass(frozen=True, slots=True)
class ChildExited:
    """A child is gone; negative codes are signals."""

    child: ChildProcess
    code: int


@dataclass(frozen=True, slots=True)
class StopAsked:
    """A signal came, or somebody called stop."""


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """A restart is due, or a child took too long to drain."""


Event = ChildSaid | ChildExited | StopAsked | DeadlinePassed


class ChildProcess:
    """One child, from its start to its exit; all it does becomes events in one queue."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        events: SimpleQueue[Event],
        *,
        lifeline: int | None = None,
        holds: int | None = None,
    ) -> None:
        """Start it.

        Args:
            command: the program and its arguments.
            environment: of the child, spec included.
            events: where to put what it does.
            lifeline: becomes its stdin; by default a pipe that ends with this process.
            holds: a file descriptor for the child to keep open.
        """
        self._events = events
        with _terminal_signals_blocked():
            self._process = subprocess.Popen(  # noqa: S603 - the command is this interpreter
                command,
                env=environment,
                stdin=subprocess.PIPE if lifeline is None else lifeline,
                stdout=subprocess.PIPE,
                pass_fds=() if holds is None else (holds,),
            )
        self.pid = self._process.pid
        self._watcher = threading.Thread(target=self._watch, name=f"watch-{self.pid}", daemon=True)
        self._watcher.start()

    def drain(self) -> None:
        """Ask it to finish what it does and leave."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def wait(self) -> None:
        """Return when it is gone and its pipes are closed."""
        self._watcher.join()

    def _watch(self) -> None:
        assert self._process.stdout is not None
        reader = threading.Thread(target=self._read, args=(self._process.stdout,), name=f"read-{self.pid}", daemon=True)
        reader.start()
        code = self._process.wait()
        reader.join(LAST_WORDS_SECONDS)
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._events.put(ChildExited(self, code))

    def _read(self, pipe: IO[bytes]) -> None:
        with pipe:
            for line in pipe:
                report = decode_report(line)
                if report is not None:
                    self._events.put(ChildSaid(self, report))


@contextmanager
def _terminal_signals_blocked() -> Iterator[None]:
    """Have a child start with Ctrl-C held back, until it has come so far as to ignore it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
