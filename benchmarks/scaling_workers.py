"""Workers as wide as SCALING_CLASSES and SCALING_WORKERS say: so many task classes, so many threads."""

from __future__ import annotations

import os
from collections.abc import Callable

from swarmage import Worker, ability

CLASSES, WORKERS = "SCALING_CLASSES", "SCALING_WORKERS"


def _wide(classes: int, workers: int) -> type[Worker]:
    members: dict[str, object] = {
        f"perform_{number}": ability(f"bench.class{number}")(_method(number)) for number in range(classes)
    }
    return type("Wide", (Worker,), {**members, "concurrency": workers, "__module__": __name__})


def _method(number: int) -> Callable[[Worker, int], int]:
    def perform(self: Worker, value: int) -> int:
        return value

    perform.__name__ = f"perform_{number}"
    return perform


Wide = _wide(int(os.environ.get(CLASSES, "1")), int(os.environ.get(WORKERS, "1")))
