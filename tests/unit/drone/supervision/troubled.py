"""A Worker in a process that starts as often as a file allows, in a module that such a process can import."""

from __future__ import annotations

import os
from pathlib import Path

from swarmage.abilities import ability
from swarmage.drone.worker import Worker

ALLOWED = "TROUBLED_ALLOWED"
"""The environment variable that names the file: while it is there, processes start."""


class Troubled(Worker):
    isolation = "process"

    def on_start(self) -> None:
        if not Path(os.environ[ALLOWED]).exists():
            raise OSError("it may not start")

    @ability("troubled.pid", retries=0)
    def pid(self) -> int:
        return os.getpid()

    @ability("troubled.crash", retries=0, crashes=1)
    def crash(self) -> None:
        os._exit(3)
