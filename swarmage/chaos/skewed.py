"""``python -m swarmage.chaos.skewed MODULE …`` is ``python -m MODULE …`` with a wall clock that chaos can set.

`swarmage.clock` is the only place that asks the machine for the time, so it is enough to set that one wrong. The
machine's own clock, and the monotonic one, stay as they are.
"""

from __future__ import annotations

import os
import runpy
import sys
import time
from pathlib import Path

from swarmage.clock import SystemClock

CLOCK_VARIABLE = "SWARMAGE_CHAOS_CLOCK"
"""Names the file that holds by how many seconds the clock is wrong; where there is none it is right."""
LOOK_SECONDS = 0.05


class SkewedClock:
    """The machine's clock, and what a file says to add."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0.0
        self._look_at = 0.0

    def wall(self) -> float:
        """Return seconds since the epoch, wrong as the file says."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            self._offset = read_clock(self._path)
        return self._right() + self._offset

    _right = staticmethod(SystemClock.wall)


def read_clock(path: Path) -> float:
    """Return by how many seconds a clock is wrong."""
    try:
        return float(path.read_text() or 0.0)  # it may just be written
    except FileNotFoundError:
        return 0.0


def set_clock(path: Path, offset: float) -> None:
    """Set a clock wrong by so many seconds."""
    draft = path.with_suffix(".draft")
    draft.write_text(str(offset))
    draft.replace(path)


def skew() -> None:
    """Set the clock of this process wrong, now and whenever its file says so."""
    clock = SkewedClock(Path(os.environ[CLOCK_VARIABLE]))
    SystemClock.wall = staticmethod(clock.wall)


def main() -> None:
    """Become a child of a supervisor, or the module that argv names."""
    skew()
    module, *words = sys.argv[1:]
    if words[:1] == ["drone"]:
        from swarmage.supervisor.supervisor import Supervisor  # noqa: PLC0415 - nobody else has a use for it

        Supervisor.command = (sys.executable, "-m", "swarmage.chaos.skewed", "swarmage.supervisor.child")
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
