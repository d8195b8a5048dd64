"""Workers for the acceptance tests, run in drone processes."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from swarmage import Worker, ability


class Steps(Worker):
    concurrency = 2

    @ability("steps.add")
    def add(self, a: int, b: int) -> int:
        return a + b

    @ability("steps.fail", retries=0)
    def fail(self, text: str) -> None:
        raise ValueError(text)

    @ability("steps.fail_unless", retries=0)
    def fail_unless(self, path: str) -> str:
        return Path(path).read_text()

    @ability("steps.hold")
    def hold(self, fifo: str) -> int:
        """Run until somebody writes to the named pipe."""
        print(f"holding {fifo}")
        Path(fifo).read_text()
        return os.getpid()

    @ability("steps.spin", retries=0)
    def spin(self) -> None:
        """Run until it is cancelled."""
        while True:
            threading.Event().wait(0.01)

    @ability("steps.touch")
    def touch(self, path: str) -> None:
        Path(path).touch()
