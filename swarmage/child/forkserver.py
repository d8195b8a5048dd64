"""The process that starts the processes of one worker class: it has imported the class, so a fork is all it takes.

It performs nothing and starts no thread, so what it forks is sound. Should the class's module start threads when it is
imported, it starts fresh interpreters instead. It ends when its drone does, and ends its children with it: being idle,
it can do so even when they are deep in a call to C. When it is killed itself, Linux ends its children.

It also waits for them, and tells the drone how each ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import selectors
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable, Sequence

from swarmage.child.performing import run_child
from swarmage.errors import Unreadable
from swarmage.wire import codec

STATUS = struct.Struct("=iq")
"""How a child ended: its exit code, or a signal's number below 0, and the most memory it had, in bytes."""
PID = struct.Struct("=i")
_FRESH = """\
import json, sys
sys.path[:] = json.loads(sys.argv[2])
from swarmage.child.forkserver import fresh
fresh()
"""
_PR_SET_PDEATHSIG = 1
_KIBI = 1 if sys.platform == "darwin" else 1024  # what ru_maxrss counts in


def serve() -> None:
    """Start children as asked, until the drone is gone. Called with the control socket's number and `sys.path`."""
    control = socket.socket(fileno=int(sys.argv[1]))
    sys.argv[1:] = []
    leave_signals_to_the_drone()
    _import_class(control)
    gc.collect()
    gc.freeze()  # so that the children's garbage collection does not copy what they share
    Forkserver(control).serve()


def _import_class(control: socket.socket) -> None:
    """Import what the class needs; should that fail, each child will say so."""
    size = int.from_bytes(_exactly(control, 4), "big")
    with contextlib.suppress(Unreadable):
        codec.unpickle(_exactly(control, size))


def _exactly(control: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        more = control.recv(size - len(data))
        if not more:
            os._exit(0)
        data += more
    return bytes(data)


class Forkserver:
    """Forks, and waits for what it forked. One thread does all."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._statuses: dict[int, int] = {}  # where to tell of a child's end, by its process id
        self._woken, self._wakes = os.pipe()
        os.set_blocking(self._wakes, False)
        signal.set_wakeup_fd(self._wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _do_nothing)

    def serve(self) -> None:
        """Serve until the drone is gone, then end all children."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _ in selector.select()}
                if self._woken in ready:
                    os.read(self._woken, 4096)
                    self._reap()
                if self._control.fileno() in ready and not self._take_request(selector):
                    break
        for pid in self._statuses:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _take_request(self, selector: selectors.BaseSelector) -> bool:
        request, fds, _, _ = socket.recv_fds(self._control, 1, 4)
        if not request:
            return False
        end, status, ahead, stacks = fds
        for fd in fds:
            os.set_inheritable(fd, False)
        server, sound = os.getpid(), threading.active_count() == 1
        pid = os.fork()
        if pid == 0:
            _end_with(lambda: self._become_child(selector, server, (end, ahead, stacks), sound))
        for fd in (end, ahead, stacks):
            os.close(fd)
        self._statuses[pid] = status
        with contextlib.suppress(BrokenPipeError):
            os.write(status, PID.pack(pid))
        return True

    def _become_child(self, selector: selectors.BaseSelector, server: int, ends: Sequence[int], sound: bool) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        selector.close()
        self._control.close()
        for fd in (self._woken, self._wakes, *self._statuses.values()):
            os.close(fd)
        _die_with_parent(server)
        if sound:
            run_child(*ends)
            return
        for end in ends:
            os.set_inheritable(end, True)
        signal.pthread_sigmask(signal.SIG_BLOCK, LEFT_TO_THE_DRONE)
        command = [sys.executable, "-c", _FRESH, ",".join(map(str, ends)), json.dumps(sys.path)]
        os.execv(sys.executable, command)  # noqa: S606 - the command is this interpreter

    def _reap(self) -> None:
        while self._statuses:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            fd = self._statuses.pop(pid, None)
            if fd is None:
                continue
            with contextlib.suppress(BrokenPipeError):
                os.write(fd, STATUS.pack(os.waitstatus_to_exitcode(status), usage.ru_maxrss * _KIBI))
            os.close(fd)


def fresh() -> None:
    """Be a child that could not be forked."""
    ends = [int(end) for end in sys.argv[1].split(",")]
    sys.argv[1:] = []
    for end in ends:
        os.set_inheritable(end, False)
    leave_signals_to_the_drone()
    _end_with(lambda: run_child(*ends))


def _end_with(run: Callable[[], None]) -> None:
    """Run a child to its end, and let nothing of the process that forked it follow."""
    code = 1
    try:
        run()
        code = 0
    except BaseException:  # noqa: BLE001 - the last line of a process
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(code)


LEFT_TO_THE_DRONE = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def leave_signals_to_the_drone() -> None:
    """Heed no signal that goes to the whole process group: the drone finishes tasks, and then ends its children.

    Not by SIG_IGN, which programs that tasks start would inherit.
    """
    for number in LEFT_TO_THE_DRONE:
        signal.signal(number, _do_nothing)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, LEFT_TO_THE_DRONE)


def _do_nothing(_number: int, _frame: object) -> None:
    """Do nothing."""


def _die_with_parent(parent: int) -> None:
    """Have the system end this process when its parent is gone, where the system can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
