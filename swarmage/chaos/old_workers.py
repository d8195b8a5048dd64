"""Workers as an older version had them, which knew only one of the task classes."""

from __future__ import annotations

from swarmage.abilities import ability
from swarmage.chaos.workers import POLICY, Blocking
from swarmage.drone.worker import Worker


class OldThreads(Blocking, Worker):
    """Performs in threads."""

    concurrency = 2
    where = "old"

    @ability("chaos.in_thread", **POLICY)
    def in_thread(self, root: str, seconds: float, padding: str) -> str:
        """Take its time, in a thread."""
        self.take_time(root, seconds)
        return root
