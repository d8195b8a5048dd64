"""Leaving to others what is stuck behind busy workers.

From: drone.  To: subscribing.

Credit is counted by task class, but a worker may be able to perform several. So a task may wait here behind a long one
of another class while another drone is idle. The drone looks ten times a second: what has come first in its lane
since the look before, with nobody free to take it, goes back with all behind it, and no more of its class is taken
until a worker is free.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from swarmage.drone.cell import Cell
from swarmage.drone.run import Run
from swarmage.drone.subscribing import Subscribing

BUSY = "busy"
"""The reason for which a class is left to others."""

LOOKS_WHEN_SHORT = 5
"""Where tasks have proved short it is rather the machine that is busy, and giving a thousand back costs more."""


class Sharing:
    """What one drone leaves to others. Owned by the drone's thread."""

    def __init__(self, cell: Cell, subscribing: Subscribing, workers: Iterable[type[Any]]) -> None:
        """Begin with nothing left to others.

        Args:
            cell: the drone's.
            subscribing: takes no more of a class meanwhile.
            workers: the classes of the drone's workers.
        """
        self._mailbox = cell.mailbox
        self._bus = cell.bus
        self._subscribing = subscribing
        self._heads: dict[str, tuple[Run | None, int]] = {}  # what came first in a lane, and at how many looks
        self._left: set[str] = set()  # the classes left to others until a worker is free
        # that share a worker; a key's tasks wait for their key, and only this drone may have it
        shared = subscribing.task_classes - subscribing.kinds
        self._siblings: dict[str, set[str]] = {name: set() for name in shared}
        for worker in workers:
            for name in worker.abilities.keys() & shared:
                self._siblings[name].update(worker.abilities)

    @property
    def leaves_some(self) -> bool:
        """Whether tasks of some class are left to others."""
        return bool(self._left)

    def look(self) -> None:
        """Give back what is stuck behind busy workers, where the bus takes it for free; called now and then."""
        if not self._bus.dialect.gives_back:
            return
        for name in self._siblings.keys() - self._subscribing.paused.keys():
            head, seen = self._heads.get(name, (None, 0))
            enough = seen >= (LOOKS_WHEN_SHORT if self._subscribing.has_extra(name) else 1)
            stuck, first = self._mailbox.remove_stuck(name, head if enough else None)
            self._heads[name] = (first, seen + 1 if first is head else 1)
            if stuck:
                self._left.add(name)
                self._subscribing.pause(name, BUSY)
                self._bus.give_back([run.tree.delivery for run in stuck])
        with self._mailbox.lock:
            free = [name for name in self._left if self._mailbox.lanes[name].has_idle]
        for name in free:
            self._take_again(name)

    def make_room(self) -> None:
        """Take again what was left to others and a worker is free for; called when runs have ended, before their acks.

        Before, because the acks make room for tasks of the class that was just performed: so the classes take turns.
        """
        lanes = self._mailbox.lanes
        for name in tuple(self._left):
            if not any(lanes[sibling].bus or lanes[sibling].local for sibling in self._siblings[name]):
                self._take_again(name)

    def _take_again(self, name: str) -> None:
        self._left.discard(name)
        self._heads.pop(name, None)
        self._subscribing.resume(name, BUSY)
