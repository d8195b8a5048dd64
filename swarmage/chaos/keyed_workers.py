"""The KeyedWorker of chaos: in a module of its own, for a bus that cannot do keys refuses its drone."""

from __future__ import annotations

from swarmage.abilities import ability
from swarmage.chaos.workers import POLICY, begun, done
from swarmage.keyed import KeyedWorker


class ChaosAccount(KeyedWorker):
    """Keeps the tasks that it has performed, so that one that counted twice shows."""

    concurrency = 2

    @ability("chaosaccount.add", **POLICY)
    def add(self, root: str, seconds: float, padding: str) -> str:
        """Write down a task, in what is saved."""
        begun(root, self.task, "done", "key")
        self.state.setdefault("roots", []).append(root)
        done(root, self.task, "done", "key")
        return root

    @ability("chaosaccount.roots", **POLICY)
    def roots(self, root: str) -> list[str]:
        """Return what is saved."""
        found: list[str] = self.state.get("roots", [])
        return found
