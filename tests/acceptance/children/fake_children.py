from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from swarmage.supervisor.supervisor import Supervisor

PRELUDE = """
import json, os, signal, sys
spec = json.loads(os.environ["SWARMAGE_CHILD"])
is_bus = spec["kind"] == "bus"

def say(**report):
    print(json.dumps(report), flush=True)

def ready(then=lambda *_: sys.exit(0)):
    signal.signal(signal.SIGTERM, then)
    if is_bus:
        say(state="ready", port=4711)
    else:
        say(state="ready", task_classes=[f"pid={os.getpid()}"])

def stay():
    while True:
        signal.pause()

def first_time(marker):
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True
"""

DEADLINE = 20.0


class Running:
    """A supervisor whose children run a small program, in a thread of its own."""

    def __init__(self, program: str, **settings: Any) -> None:
        self.lines: SimpleQueue[str] = SimpleQueue()
        self.result: int | BaseException | None = None
        settings.setdefault("targets", ["some_target"])
        settings.setdefault("announce", self.lines.put)
        self.supervisor = Supervisor(**settings)
        self.supervisor.command = (sys.executable, "-I", "-S", "-c", PRELUDE + program)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> Running:
        self._thread.start()
        return self

    def _run(self) -> None:
        try:
            self.result = self.supervisor.run()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            self.result = error

    def line(self, pattern: str) -> re.Match[str]:
        """Wait for the next line that matches; lines before it are skipped."""
        try:
            while True:
                match = re.search(pattern, self.lines.get(timeout=DEADLINE))
                if match:
                    return match
        except Empty:
            raise AssertionError(f"no line like {pattern!r}; the supervisor ended with {self.result!r}") from None

    def drone_pid(self, number: int = 1) -> int:
        return int(self.line(rf"drone-{number} ready: pid=(\d+)")[1])

    def end(self) -> int | BaseException | None:
        """Wait until run is over."""
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive(), "the supervisor did not end"
        return self.result

    def clean_up(self) -> None:
        if self._thread.is_alive():
            self.supervisor.stop()
            self.supervisor.stop()
            self._thread.join(DEADLINE)


Supervise = Callable[..., Running]


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False
