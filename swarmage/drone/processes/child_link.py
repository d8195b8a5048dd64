"""The drone's end of one worker's process."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import threading
import time
from typing import NamedTuple

from swarmage.drone.processes.ahead import Ahead
from swarmage.drone.processes.memory import resident_bytes
from swarmage.drone.run import Local, Run
from swarmage.drone.stacks import Stacks
from swarmage.errors import SwarmageError, Unreadable
from swarmage.wire.channel import Channel
from swarmage.wire.pipe import FROM_CHILD, FromChild, ToChild

REAP_SECONDS = 5.0
"""How long the system may take to end a process that was killed."""
SEND_SECONDS = 60.0
"""How long a process may not read what is said to it, before it counts as gone."""
_PID = struct.Struct("=i")
_STATUS = struct.Struct("=iq")


class ChildGone(SwarmageError):
    """The process has ended, or is not to be spoken to any more."""


class End(NamedTuple):
    """How a process ended.

    Attributes:
        code: its exit code, a signal's number below 0, None where nobody knows.
        peak: the most memory it had, in bytes.
    """

    code: int | None
    peak: int

    def __str__(self) -> str:
        memory = f" (it had at most {self.peak / 1e6:.0f} MB of memory)" if self.peak else ""
        if self.code is None:
            return "its process is gone, and so is the one that started it"
        if self.code < 0:
            return f"its process was killed by {_signal_name(-self.code)}{memory}"
        return f"its process ended with exit code {self.code}{memory}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class ChildLink:
    """One process, from its start to its end. Owned by its keeper's thread; any thread may kill it.

    Attributes:
        pid: its process id.
        tasks: how many it was given.
        first_bytes: its memory when it was given the first, 0 until somebody looks.
        knows: how many task classes of its cell it was told.
        ahead: what it is given before it has ended the task before.
        untaken: the numbers of those it had not taken when it ended.
        handles: the local tasks that those it performs passed on, by the number it gave them, and who did.
    """

    def __init__(self, end: socket.socket, status: int, ahead: Ahead, stacks: Stacks, timeout: float) -> None:
        """Wait until it runs.

        Raises:
            ChildGone: it could not be started in time.
        """
        end.settimeout(SEND_SECONDS)
        self._channel = Channel(end, FROM_CHILD)
        self._status = status
        self.ahead = ahead
        self._stacks = stacks
        self._lock = threading.Lock()
        self._end: End | None = None
        self.untaken: list[int] = []
        self.tasks = 0
        self.first_bytes = 0
        self.knows = 0
        self.handles: dict[int, tuple[Run, Local]] = {}
        self._death = select.poll()
        self._death.register(status, select.POLLIN)
        self.pid = 0
        if self._death.poll(timeout * 1000):
            self.pid = _PID.unpack(os.read(status, _PID.size) or _PID.pack(0))[0]
        if self.pid == 0:
            self._close()
            self._stacks.close()
            raise ChildGone(f"no process could be started in {timeout:.0f} s")
        self._news = select.poll()
        self._news.register(end, select.POLLIN)
        self._news.register(status, select.POLLIN)

    @property
    def dead(self) -> bool:
        """Whether it is known to be gone, or just proves to be."""
        return self._end is not None or bool(self._death.poll(0))

    def send(self, message: ToChild) -> None:
        """Say something to it.

        Raises:
            ChildGone: it is gone.
        """
        if self._end is not None:
            raise ChildGone
        try:
            self._channel.send(message)
        except OSError as error:
            raise ChildGone from error

    def receive(self, seconds: float | None) -> FromChild | None:
        """Return what it says next, None when it has said nothing for so long.

        Raises:
            ChildGone: it is gone, and has said no more.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        channel = self._channel
        try:
            message: FromChild | None = channel.next()
            while message is None:
                left = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
                ready = self._news.poll(left)
                if not ready:
                    return None
                if channel.fileno() not in {fd for fd, _ in ready} or not channel.read():
                    raise ChildGone
                message = channel.next()
        except (Unreadable, OSError) as error:
            raise ChildGone from error
        return message

    def resident(self) -> int:
        """Return the memory it holds now, in bytes."""
        return resident_bytes(self.pid)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End it at once, or send it another signal, from any thread."""
        with self._lock, contextlib.suppress(ProcessLookupError):
            if self._end is None and not self._death.poll(0):
                os.kill(self.pid, number)

    def stack(self) -> str:
        """Return where in its code it is, from any thread; empty when it does not say so soon."""
        return self._stacks.ask(lambda: self.kill(signal.SIGURG))

    def wait(self, timeout: float) -> bool:
        """Say whether it ends in that many seconds."""
        return self._end is not None or bool(self._death.poll(timeout * 1000))

    def end(self) -> End:
        """Make sure that it is gone, let go of it, and return how it ended."""
        self.kill()
        with self._lock:
            if self._end is None:
                said = os.read(self._status, _STATUS.size) if self._death.poll(REAP_SECONDS * 1000) else b""
                self.untaken = self.ahead.take_back()
                self._end = End(*_STATUS.unpack(said)) if said else End(None, 0)
                self._close()
        self._stacks.close()  # not under the lock: who asks for a stack holds that of the stacks, and takes ours
        return self._end

    def _close(self) -> None:
        self._channel.close()
        self.ahead.close()
        os.close(self._status)
