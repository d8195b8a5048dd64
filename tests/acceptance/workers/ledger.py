"""A Worker that writes down what it has performed, where no crash can take it back."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from swarmage import Worker, ability


class Bookkeeper(Worker):
    concurrency = 4

    @ability("ledger.write")
    def write(self, path: str, seconds: float = 0.0) -> None:
        threading.Event().wait(seconds)
        self.line(path, self.task.id)

    @ability("ledger.tree")
    def tree(self, path: str, leaves: int) -> int:
        """Write one line a local task, then insert one task more."""
        parts = [self.local("ledger.write", path) for _ in range(leaves)]
        for part in parts:
            part.result()
        self.insert("ledger.write", path)
        return leaves

    @ability("ledger.meet", retries=0)
    def meet(self, path: str, count: int) -> None:
        """Go on only when so many have begun, which they can only at the same time."""
        self.line(path, self.task.id)
        deadline = time.monotonic() + 50
        while len(Path(path).read_bytes().splitlines()) < count:
            if time.monotonic() > deadline:
                raise TimeoutError("the others did not come")
            threading.Event().wait(0.01)

    @staticmethod
    def line(path: str, text: str) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, f"{text}\n".encode())
        finally:
            os.close(handle)
