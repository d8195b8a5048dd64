"""Keeping aside what the bus has brought of a class that is paused, where the bus takes nothing back for free.

From: intake, subscribing.  To: local_queue.

On such a bus the subscription of a paused class stays: only the end of the connection would give its tasks to others,
and that counts as a loss of the drone. So they wait here, and are begun when the class is taken again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from swarmage.bus.connection import Connection
from swarmage.drone.local_queue import Mailbox
from swarmage.drone.run import Run


class Holding:
    """What one drone keeps aside. Any thread may use it."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._lock = threading.Lock()  # held while runs go into the lanes: none slips past a pause
        self._aside: dict[str, list[Run]] = {}

    def put_runs(self, runs: Iterable[Run]) -> None:
        """Put tasks into their lanes, but those of a paused class aside."""
        with self._lock:
            wanted: list[Run] = []
            for run in runs:
                aside = self._aside.get(run.task.task_class)
                (wanted if aside is None else aside).append(run)
            if wanted:
                self._mailbox.put_runs(wanted)

    def pause(self, task_class: str, spared: Run | None) -> None:
        """Put aside from now on what comes of a class, and what is here of it and nobody has begun."""
        with self._lock:
            waiting = self._mailbox.remove_waiting(task_class, lambda run: run is not spared)
            self._aside.setdefault(task_class, []).extend(waiting)

    def resume(self, task_class: str) -> None:
        """Let a class in again; safe when it was not paused."""
        with self._lock:
            self._mailbox.put_runs(self._aside.pop(task_class, ()))

    def forget(self, connection: Connection) -> None:
        """Forget what came on a connection that is lost: the bus delivers it again."""
        with self._lock:
            for runs in self._aside.values():
                runs[:] = [run for run in runs if run.tree.delivery.connection is not connection]
