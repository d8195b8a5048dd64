"""The keyed actors that the load tests perform tasks with."""

from __future__ import annotations

from swarmage import KeyedWorker, ability


class Counter(KeyedWorker):
    """Counts, beside as much text as it was given."""

    concurrency = 8
    most_keys = 1_000_000
    idle = 3_600

    @ability("counted.count")
    def count(self, size: int) -> int:
        """Change the state, which has about so many bytes."""
        state = self.state
        state["count"] = state.get("count", 0) + 1
        if "text" not in state:
            state["text"] = "x" * size
        return int(state["count"])
