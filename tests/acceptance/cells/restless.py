"""A Worker whose module starts a thread when it is imported, so that it must not be forked."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from swarmage.abilities import ability
from swarmage.drone.worker import Worker

threading.Thread(target=threading.Event().wait, daemon=True).start()


class Restless(Worker):
    isolation = "process"

    @ability("restless", retries=0)
    def restless(self) -> list[int]:
        """Return the process id of the drone, and how many threads there are here."""
        server = int(Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1])
        return [server, threading.active_count()]
