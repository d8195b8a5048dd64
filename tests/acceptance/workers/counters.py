"""Keyed actors for the acceptance tests, run in drone processes."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

from swarmage import KeyedWorker, ability


class Counter(KeyedWorker):
    concurrency = 4

    @ability("counter.count", crashes=None)
    def count(self, number: int, folder: str) -> int:
        """Count, and tell of it if anybody else in the swarm performs for this key at the same time."""
        with Path(folder, f"{self.key}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                Path(folder, "together").write_text(self.key)
            self.state.setdefault("numbers", []).append(number)
            return len(self.state["numbers"])

    @ability("counter.hold", crashes=None)
    def hold(self, number: int, flag: str) -> int:
        """Count when somebody has made the file."""
        before = self.state.get("numbers", [])
        print(f"holding {number} as {os.getpid()}")
        while not Path(flag).exists():
            threading.Event().wait(0.01)
        self.state["numbers"] = [*before, number]
        print(f"counted {number} as {os.getpid()}")
        return os.getpid()

    @ability("counter.numbers")
    def numbers(self) -> list[int]:
        return list(self.state.get("numbers", []))
