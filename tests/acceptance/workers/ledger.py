"""A Worker that writes down what it has performed, where no crash can take it back."""

from __future__ import annotations

import os
import threading

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

    @staticmethod
    def line(path: str, text: str) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, f"{text}\n".encode())
        finally:
            os.close(handle)
