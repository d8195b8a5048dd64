"""Where in its code a process is: it writes that into a pipe when it gets a signal, even deep in a call to C.

The signal is SIGURG, which does nothing where nobody listens to it: to a process that is just starting, to a task that
sets it to the default again, to a program that a task starts. The pipe's far end never makes the process wait.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import threading
import time
import traceback
from collections.abc import Callable

ASK_SECONDS = 0.5
"""How long a process has to begin its answer."""
QUIET_SECONDS = 0.05
"""After how long without more the answer counts as complete, if it does not show that it is."""
MOST_BYTES = 256 * 1024
_FRAME = re.compile(r'^  File "(.*)", line (\d+) in (.*)$', re.MULTILINE)
_OUTERMOST = re.compile(rb'  File "<string>", line \d+ in <module>\n\Z|  \.\.\.\n\Z')


class Stacks:
    """The pipe from one process. Any thread may ask.

    Attributes:
        far: the end into which the process writes, until it has been brought there.
    """

    def __init__(self) -> None:
        self._near, self.far = os.pipe()
        for end in (self._near, self.far):
            os.set_blocking(end, False)
        self._lock = threading.Lock()
        self._open = True
        self._news = select.poll()
        self._news.register(self._near, select.POLLIN)

    def ask(self, signal_it: Callable[[], None]) -> str:
        """Return the stack in the form of a traceback; empty when there is no answer.

        Args:
            signal_it: sends the signal to the process.
        """
        with self._lock:
            if not self._open:
                return ""
            with contextlib.suppress(BlockingIOError):
                while os.read(self._near, MOST_BYTES):
                    pass  # an earlier answer that came too late
            signal_it()
            return as_traceback(self._answer())

    def _answer(self) -> bytes:
        said = bytearray()
        deadline = time.monotonic() + ASK_SECONDS
        quiet = ASK_SECONDS
        while len(said) < MOST_BYTES and self._news.poll(min(quiet, max(0.0, deadline - time.monotonic())) * 1000):
            data = os.read(self._near, MOST_BYTES)
            if not data:
                break  # it has ended
            said += data
            quiet = QUIET_SECONDS
            if _OUTERMOST.search(said, max(0, len(said) - 100)):
                break
        return bytes(said)

    def close_far(self) -> None:
        """Leave the far end to the process."""
        os.close(self.far)

    def close(self) -> None:
        """Close the near end; safe twice."""
        with self._lock:
            if self._open:
                self._open = False
                os.close(self._near)


def as_traceback(said: bytes) -> str:
    """Return what a process wrote with the outermost call first, and with the lines of its source."""
    frames = [
        traceback.FrameSummary(file, int(line), name)
        for file, line, name in _FRAME.findall(said.decode("ascii", "replace"))
    ]
    return "".join(traceback.format_list(frames[::-1]))
