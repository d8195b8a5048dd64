"""Workers one of whose tasks kills the process it is performed in."""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path

from swarmage import Worker, ability


class Poison(Worker):
    concurrency = 4

    @ability("poison.kill")
    def kill(self, path: str, how: str = "exit") -> None:
        self.line(path, f"kill {os.getpid()}")
        if how == "exit":
            os._exit(7)
        ctypes.string_at(0)

    @ability("poison.innocent")
    def innocent(self, path: str, seconds: float = 0.0) -> None:
        self.line(path, f"begun {self.task.id}")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.checkpoint()
        self.line(path, f"done {self.task.id}")

    @ability("poison.blocks", timeout=0.2, hard_timeout=0.6, retries=1, backoff=0.05)
    def blocks(self, path: str, fifo: str) -> None:
        """Block in C, where no exception reaches it."""
        self.line(path, f"blocks {os.getpid()}")
        Path(fifo).read_text()

    @staticmethod
    def line(path: str, text: str) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, f"{text}\n".encode())
        finally:
            os.close(handle)
