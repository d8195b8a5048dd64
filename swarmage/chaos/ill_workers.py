"""Workers whose tasks kill or keep what performs them."""

from __future__ import annotations

import ctypes
import os
import time
from typing import Any

from swarmage.abilities import ability
from swarmage.chaos.workers import begun
from swarmage.drone.worker import Worker

MEMORY = 200_000_000
"""Bytes that the process of a worker may have here."""
_BLOCK = 10_000_000

DIES: dict[str, Any] = {"retries": 1, "backoff": 0.1}
SPARED: dict[str, Any] = {"crashes": 50}
"""More than chaos kills: a task whose end is a failure must not be given up for the drones that died around it."""


class IllProcesses(Worker):
    """Has its tasks harm no more than a process of their own."""

    isolation = "process"
    memory_limit = MEMORY

    @ability("chaos.segfault", **DIES)
    def segfault(self, root: str, seconds: float, padding: str) -> None:
        """Read what nobody may read."""
        begun(root, self.task, "done", "process")
        ctypes.string_at(0)

    @ability("chaos.exit", **DIES)
    def exit(self, root: str, seconds: float, padding: str) -> None:
        """Leave, and take the process along."""
        begun(root, self.task, "done", "process")
        os._exit(7)

    @ability("chaos.memory", **DIES)
    def memory(self, root: str, seconds: float, padding: str) -> None:
        """Take memory without end."""
        begun(root, self.task, "done", "process")
        taken = []
        while True:
            taken.append(bytearray(b"x" * _BLOCK))
            time.sleep(0.01)  # or the machine's memory would be gone before anybody has looked

    @ability("chaos.hang", timeout=0.5, **DIES, **SPARED)
    def hang(self, root: str, seconds: float, padding: str) -> None:
        """Never end."""
        begun(root, self.task, "done", "process")
        while True:
            time.sleep(3600)


class IllThreads(Worker):
    """Has its tasks harm the whole drone."""

    @ability("chaos.killer", crashes=2)
    def killer(self, root: str, seconds: float, padding: str) -> None:
        """Take the drone along."""
        begun(root, self.task, "done", "thread")
        ctypes.string_at(0)

    @ability("chaos.stubborn", timeout=0.3, hard_timeout=0.6, retries=0, **SPARED)
    def stubborn(self, root: str, seconds: float, padding: str) -> None:
        """Go on whatever is raised."""
        begun(root, self.task, "done", "thread")
        while True:
            try:
                time.sleep(3600)
            except BaseException:  # noqa: BLE001, S112 - that is what is wrong with it
                continue
