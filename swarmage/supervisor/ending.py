"""How a supervisor's children come to their end: in order, and within their time."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence

from swarmage.clock import Clock
from swarmage.supervisor.slot import Slot

log = logging.getLogger(__name__)


class Ending:
    """Drains group after group, and kills what takes too long.

    Attributes:
        aborted: something had to be killed.
        kill_at: when the group that drains now is killed, on the monotonic clock.
    """

    def __init__(self, groups: Sequence[Sequence[Slot]], clock: Clock, patience: float) -> None:
        self.aborted = False
        self.kill_at: float | None = None
        self._groups = groups
        self._clock = clock
        self._patience = patience
        self._draining: Sequence[Slot] = ()

    def drain_next(self) -> None:
        """Drain the first group of which something runs, if that has not begun yet."""
        for group in self._groups:
            running = [process for slot in group for process in slot.processes]
            if running:
                if group is not self._draining:
                    self._draining = group
                    self.kill_at = self._clock.monotonic() + self._patience
                    for process in running:
                        process.drain()
                return

    def kill_late(self, now: float) -> None:
        """Kill the group that drains if its time is over."""
        if self.kill_at is not None and self.kill_at <= now:
            log.error("not drained after %.0f s: killing", self._patience)
            self.kill_at = None
            self.kill(self._draining)

    def kill(self, slots: Sequence[Slot]) -> None:
        """End at once what runs."""
        for slot in slots:
            for process in slot.processes:
                self.aborted = True
                process.kill()

    def leave_nothing_behind(self) -> None:
        """Kill what still runs, and return when it has ended."""
        for slot in itertools.chain.from_iterable(self._groups):
            for process in slot.processes:
                process.kill()
                process.wait()
