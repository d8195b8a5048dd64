"""Replacing drones whose source has changed, one after another, the new one first.

Polling and not the system's notification of changes: it works on every file system, network and container mounts among
them, needs no package, and a look at a few hundred files once a second takes about a millisecond.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from swarmage.clock import Clock
from swarmage.supervisor.child_process import ChildProcess
from swarmage.supervisor.protocol import Alone, Failed, Ready, Report
from swarmage.supervisor.slot import Slot

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


class Watch:
    """Files, and whether they are still as they were."""

    def __init__(self) -> None:
        self._seen: dict[str, object] = {}

    def add(self, files: Iterable[str]) -> None:
        """Watch these too."""
        for file in files:
            if file not in self._seen:
                self._seen[file] = _signature(file)

    def changed(self) -> list[str]:
        """Return the files that have changed since this was asked before."""
        changed = []
        for file, before in self._seen.items():
            now = _signature(file)
            if now != before:
                self._seen[file] = now
                changed.append(file)
        return changed


def _signature(file: str) -> object:
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class Reloading:
    """Watches, and replaces the drones. Only the supervisor's loop touches it.

    A drone leaves when its successor has booted. A successor that cannot boot, as its source is wrong, is the end of
    this round: the drones of before go on.

    Attributes:
        look_at: when to look next, on the monotonic clock; None while nothing is watched.
    """

    def __init__(
        self, slots: Sequence[Slot], launch: Callable[[Slot], ChildProcess], clock: Clock, patience: float
    ) -> None:
        """Watch nothing yet.

        Args:
            slots: of the drones.
            launch: starts another child for a slot.
            clock: where time comes from.
            patience: seconds a drone has to drain.
        """
        self.look_at: float | None = None
        self._patience = patience
        self._kill_at = 0.0
        self._slots = slots
        self._launch = launch
        self._clock = clock
        self._watch = Watch()
        self._dirty = False
        self._round: deque[Slot] = deque()
        self._busy: Slot | None = None
        self._blames = ""  # what the successor performs alone

    def watch(self, files: Sequence[str]) -> None:
        """Watch the files that a drone is made of, if it has named any."""
        self._watch.add(files)
        if files and self.look_at is None:
            self.look_at = self._clock.monotonic() + LOOK_SECONDS

    def look(self, now: float) -> None:
        """Begin a round when files have changed and change no more."""
        if self.look_at is None or now < self.look_at:
            return
        self.look_at = now + LOOK_SECONDS
        if self._busy is not None and self._busy.predecessor is not None and now >= self._kill_at:
            self._busy.predecessor.kill()
        changed = self._watch.changed()
        if changed:
            self._dirty = True
            log.info("changed: %s", ", ".join(changed[:5]) + (" and others" if changed[5:] else ""))
        elif self._dirty and self._busy is None:
            self._dirty = False
            self._round = deque(self._slots)
            self._next()

    def on_report(self, slot: Slot, child: ChildProcess, report: Report) -> None:
        """Take note of what a successor says."""
        match report:
            case Ready() if child is slot.successor:
                self._watch.add(report.files)
                old, slot.successor = slot.process, None
                slot.started(child, self._clock.monotonic())
                slot.became_ready()
                slot.blames, self._blames = self._blames, ""
                log.info("%s reloaded, pid %d", slot.spec.name, child.pid)
                if old is None:
                    self._next()
                else:
                    slot.predecessor = old
                    self._kill_at = self._clock.monotonic() + self._patience
                    old.drain()
            case Alone(task) if child is slot.successor:  # it takes tasks already
                self._blames = task
            case Failed(_, message) if child is slot.successor:
                log.error("%s is not reloaded, the one of before goes on: %s", slot.spec.name, message)

    def on_exit(self, slot: Slot, child: ChildProcess) -> None:
        """Go on when a predecessor has left; end the round when a successor has."""
        if child is slot.predecessor:
            slot.predecessor = None
            self._next()
        elif child is slot.successor:
            slot.successor, self._blames = None, ""
            self._round.clear()
            self._next()

    def stop(self) -> None:
        """Begin nothing more."""
        self._dirty = False
        self._round.clear()

    def _next(self) -> None:
        self._busy = None
        while self._round and self._busy is None:
            slot = self._round.popleft()
            if slot.process is not None:  # or it starts with the new source anyway, or was drained
                self._busy, slot.successor = slot, self._launch(slot)
