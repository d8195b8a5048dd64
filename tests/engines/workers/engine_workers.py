"""Workers for drones in processes of their own; the task classes begin with what the test says."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from swarmage import Worker, ability

PREFIX = os.environ.get("ENGINE_PREFIX", "engine")


def note(ledger: str, text: str) -> None:
    with Path(ledger).open("a") as file:
        file.write(text + "\n")


class Steady(Worker):
    """Performs what survives."""

    concurrency = 4

    @ability(f"{PREFIX}.write")
    def write(self, ledger: str, seconds: float) -> None:
        threading.Event().wait(seconds)
        note(ledger, f"done {self.task.id}")

    @ability(f"{PREFIX}.poison")
    def poison(self, ledger: str) -> None:
        note(ledger, f"poison {os.getpid()}")
        os._exit(7)
