"""The Workers of `swarmage bench`, in a drone that notes when each task passes which line."""

from __future__ import annotations

import atexit

from benchmarks.journey_marks import keep, watch_drone
from swarmage.bench import workers


class Threads(workers.Threads):
    """Does next to nothing."""


atexit.register(keep)
watch_drone()
