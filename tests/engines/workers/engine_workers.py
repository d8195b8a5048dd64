"""Workers for drones in processes of their own, and for those in the process of the tests.

The task classes begin with what the test says.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from swarmage import Worker, ability


def note(ledger: str, text: str) -> None:
    with Path(ledger).open("a") as file:
        file.write(text + "\n")


def steady(prefix: str, die: Callable[[], None]) -> type[Worker]:
    """Return a Worker that performs what survives, and how its drone dies."""

    class Steady(Worker):
        concurrency = 4

        @ability(f"{prefix}.write")
        def write(self, ledger: str, seconds: float) -> None:
            threading.Event().wait(seconds)
            note(ledger, f"done {self.task.id}")

        @ability(f"{prefix}.step")
        def step(self, ledger: str) -> str:
            self.insert(f"{prefix}.write", ledger, 0.0)
            threading.Event().wait(0.02)
            note(ledger, f"step {self.task.id}")
            return self.task.id

        @ability(f"{prefix}.root")
        def root(self, ledger: str) -> None:
            for _ in range(3):
                self.local(f"{prefix}.leaf", ledger)
            self.insert(f"{prefix}.write", ledger, 0.0)
            note(ledger, f"root {self.task.id}")

        @ability(f"{prefix}.leaf")
        def leaf(self, ledger: str) -> None:
            note(ledger, f"leaf {self.task.id}")
            while not Path(f"{ledger}.go").exists():
                threading.Event().wait(0.02)
            note(ledger, f"fallen {self.task.id}")

        @ability(f"{prefix}.poison")
        def poison(self, ledger: str) -> None:
            note(ledger, f"poison {os.getpid()}")
            die()

    return Steady


Steady = steady(os.environ.get("ENGINE_PREFIX", "engine"), lambda: os._exit(7))
