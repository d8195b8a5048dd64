"""What tasks tell the soak, past the bus: each that it begins, and each that it is done.

One datagram each, through a socket in the folder of the run, so that nothing of it is kept by those who are watched.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Container
from pathlib import Path

SOCKET = "SWARMAGE_SOAK_SOCKET"
"""The environment variable with the path of the socket."""
BEGUN, DONE = 0, 1
_FORM = struct.Struct("=BQd")
_LOOK_SECONDS = 0.2


class Teller:
    """Tells of the tasks that are performed in this process."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.connect(os.environ[SOCKET])

    def close(self) -> None:
        """Tell no more."""
        self._socket.close()

    def begun(self, number: int, inserted: float) -> None:
        """Tell that a task begins that was inserted then; 0 for one whose wait says nothing."""
        self._socket.send(_FORM.pack(BEGUN, number, time.monotonic() - inserted if inserted else -1.0))

    def done(self, number: int) -> None:
        """Tell that a task is done."""
        self._socket.send(_FORM.pack(DONE, number, 0.0))


class Listener:
    """Hears all of it, and counts."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "heard"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._socket.settimeout(_LOOK_SECONDS)
        self._lock = threading.Lock()  # guards what follows
        self._done: Counter[int] = Counter()
        self._waits: list[float] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)

    def __enter__(self) -> Listener:
        os.environ[SOCKET] = str(self.path)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()
        os.environ.pop(SOCKET, None)

    def waits(self) -> list[float]:
        """Return how long those waited, in seconds, that have begun since this was asked before."""
        with self._lock:
            waits, self._waits = self._waits, []
        return waits

    def performed(self) -> int:
        """Return how many tasks are done."""
        with self._lock:
            return len(self._done)

    def missing(self, count: int, doubtful: Container[int] = ()) -> int:
        """Return how many of the first tasks are not done, but for those whose insert is in doubt."""
        with self._lock:
            return sum(1 for number in range(count) if number not in self._done and number not in doubtful)

    def repeated(self) -> int:
        """Return how many tasks were done more than once."""
        with self._lock:
            return sum(1 for times in self._done.values() if times > 1)

    def _listen(self) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                what, number, wait = _FORM.unpack(self._socket.recv(_FORM.size))
                with self._lock:
                    if what == DONE:
                        self._done[number] += 1
                    elif wait >= 0:
                        self._waits.append(wait)
