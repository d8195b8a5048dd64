"""Where a fault acts: the cast, what is due later, and who has to be replaced."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from swarmage.chaos.cast import Cast
from swarmage.chaos.history import History
from swarmage.chaos.ledger import Ledger
from swarmage.chaos.processes import LOOK_SECONDS, Process
from swarmage.clock import SYSTEM_CLOCK
from swarmage.testing.fault_proxy import FaultProxy

GRACE_SECONDS = 45.0
"""What a process that was asked to leave gets for it: a drone takes 30 s at most, and 5 more."""
RESTART_SECONDS = 1.0
"""After which a bus that has given up, as on a full disk, is started again, as a service manager does it."""


class Stage:
    """What a fault may touch.

    Attributes:
        cast: the processes.
        ledger: where the fault is written down.
        history: what has been written so far, as far as it was read.
        released: tasks that the originator may have inserted by now.
    """

    def __init__(self, cast: Cast, ledger: Ledger, history: History, tasks: int) -> None:
        self.cast = cast
        self.ledger = ledger
        self.history = history
        self.released = 0
        self._tasks = tasks
        self._due: list[tuple[float, Callable[[], object]]] = []
        self._restarting = False

    def look(self) -> None:
        """Read what is new, and do what is due."""
        self.history.add(self.ledger.news())
        now = SYSTEM_CLOCK.monotonic()
        due = [each for each in self._due if each[0] <= now]
        self._due = [each for each in self._due if each[0] > now]
        for _, act in sorted(due, key=lambda each: each[0]):
            act()
        if self.cast.bus_gave_up and not self._restarting:
            self._restarting = True
            self.later(RESTART_SECONDS, self._restart)

    def _restart(self) -> None:
        self._restarting = False
        self.cast.start_bus()

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Do something so many seconds from now."""
        self._due.append((SYSTEM_CLOCK.monotonic() + seconds, act))

    @property
    def bus(self) -> Process:
        """The bus, where it is ours."""
        assert self.cast.bus is not None
        return self.cast.bus

    @property
    def originator(self) -> Process:
        """Who inserts now."""
        assert self.cast.originator is not None
        return self.cast.originator

    @property
    def network(self) -> FaultProxy:
        """What all connections to the bus go through, where there are faults of the network."""
        assert self.cast.proxy is not None
        return self.cast.proxy

    def see_off(self, name: str, process: Process, seconds: float, then: Callable[[], object] | None = None) -> None:
        """Wait until a process that was asked to leave is gone; kill it when it takes too long, and say so."""
        if process.running and seconds > 0:
            self.later(LOOK_SECONDS, partial(self.see_off, name, process, seconds - LOOK_SECONDS, then))
            return
        if process.running:
            self.ledger.write("stuck", f"{name}, {process.pid}, {GRACE_SECONDS:.0f} s after SIGTERM")
            process.kill()
        if then is not None:
            then()

    @property
    def quiet(self) -> bool:
        """Whether nothing is due any more."""
        return not self._due

    def replace_originator(self) -> None:
        """Start an originator that goes on behind what the one before has attempted, if that one is gone."""
        if self.cast.originator is not None and self.cast.originator.running:
            return
        self.history.add(self.ledger.news())
        process = self.cast.start_originator(self.history.attempted)
        process.order(f"insert {self.released}")

    def release(self, upto: int) -> None:
        """Have the originator insert the tasks up to a number, as far as there are so many."""
        upto = min(upto, self._tasks)
        if upto > self.released and self.cast.originator is not None:
            self.released = upto
            self.cast.originator.order(f"insert {upto}")


def soon(dice: random.Random) -> float:
    """Return how many seconds somebody stays away."""
    return dice.choice((0.0, dice.uniform(0, 0.3), dice.uniform(0, 1.5)))
