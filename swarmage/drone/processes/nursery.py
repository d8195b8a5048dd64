"""Where the processes of one worker class come from: a forkserver that has imported it.

It is started when the first process is wanted and again should it have ended, and ended with its last keeper.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading

from swarmage.drone.processes.ahead import Ahead
from swarmage.drone.processes.child_link import ChildGone, ChildLink
from swarmage.drone.stacks import Stacks
from swarmage.errors import ConfigError, NotEncodable
from swarmage.wire import codec
from swarmage.wire.pipe import Load

_COMMAND = """\
import json, sys
sys.path[:] = json.loads(sys.argv[2])
from swarmage.child.forkserver import serve
serve()
"""
_FORK = b"F"
KEPT_FROM_TASKS = ("SWARMAGE_URL", "SWARMAGE_KEY_FILE", "SWARMAGE_CHILD")
"""Environment variables that hold the bus's passcode or lead to the signing key: no business of a task's process."""
END_SECONDS = 5.0
_LATER = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


class Nursery:
    """The forkserver of one worker class; any of its keepers may ask it for a process."""

    def __init__(self, worker_class: type) -> None:
        self._name = worker_class.__qualname__
        self._worker_class = worker_class
        self._pickled = b""
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._keepers = 0

    def enter(self) -> None:
        """Count one more keeper."""
        with self._lock:
            self._keepers += 1

    def leave(self) -> None:
        """Count one keeper less; the forkserver ends with the last."""
        with self._lock:
            self._keepers -= 1
            if self._keepers == 0:
                self._end()

    def start_child(self, timeout: float) -> ChildLink:
        """Return a new process, which waits for its `Load`.

        Raises:
            ChildGone: none could be started in time.
            ConfigError: the class cannot be brought to another process.
        """
        ahead, stacks = Ahead(), Stacks()
        try:
            ours, status = self._ask(ahead, stacks)
        except BaseException:  # raised again: whatever ended it, the ends of its sockets are not to be left open
            ahead.close()
            stacks.close()
            raise
        try:
            return ChildLink(ours, status, ahead, stacks, timeout)
        except ChildGone:  # it was killed just now, or hangs in an import: the next one shall have a fresh one
            with self._lock:
                self._end()
            raise

    def load(self) -> Load:
        """Return what a new process must be told."""
        root = logging.getLogger()
        formatter = next((one.formatter for one in root.handlers if type(one) is logging.StreamHandler), None)
        try:
            looks = None if formatter is None else codec.pickle(formatter, "the log's formatter")
        except NotEncodable:
            looks = codec.pickle(logging.Formatter(), "a plain formatter")
        return Load(self._class_by_pickle(), looks, root.level)

    def _class_by_pickle(self) -> bytes:
        if not self._pickled:
            try:
                self._pickled = codec.pickle(self._worker_class, f"worker {self._name}")
            except NotEncodable as error:
                raise ConfigError(
                    f"worker {self._name} cannot be brought to a process of its own; define it in a module that can be"
                    f" imported: {error}"
                ) from error
        return self._pickled

    def _ask(self, ahead: Ahead, stacks: Stacks) -> tuple[socket.socket, int]:
        ours, theirs = socket.socketpair()
        status, told = os.pipe()
        try:
            with self._lock:
                self._send([theirs.fileno(), told, ahead.far.fileno(), stacks.far])
        except BaseException as error:
            ours.close()
            os.close(status)
            if not isinstance(error, OSError):
                raise
            raise ChildGone(f"its forkserver cannot be spoken to: {error}") from error
        finally:
            theirs.close()
            os.close(told)
            stacks.close_far()
        return ours, status

    def _send(self, fds: list[int]) -> None:
        if self._server is not None and self._server.poll() is not None:
            self._end()  # it was killed
        socket.send_fds(self._control or self._start(), [_FORK], fds)

    def _start(self) -> socket.socket:
        pickled = self._class_by_pickle()
        control, theirs = socket.socketpair()
        environment = {name: value for name, value in os.environ.items() if name not in KEPT_FROM_TASKS}
        command = [sys.executable, "-c", _COMMAND, str(theirs.fileno()), json.dumps(sys.path)]
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _LATER)  # until it has come so far as to leave them to us
        try:
            self._server = subprocess.Popen(  # noqa: S603 - the command is this interpreter
                command, env=environment, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()
        control.settimeout(END_SECONDS)
        control.sendall(len(pickled).to_bytes(4, "big") + pickled)
        self._control = control
        return control

    def _end(self) -> None:
        server, control = self._server, self._control
        self._server = self._control = None
        if control is not None:
            control.close()
        if server is not None:
            try:
                server.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
