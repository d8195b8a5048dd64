"""What a drone takes from the Global Queue, and when it leaves tasks to others.

From: bus.  To: intake.

Credit is counted by task class, but a worker may be able to perform several. So a task may wait here behind a long one
of another class while another drone is idle. The drone looks ten times a second: what has come first in its lane
since the look before, with nobody free to take it, goes back with all behind it, and no more of its class is taken
until a worker is free.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from swarmage.abilities import Ability
from swarmage.bus.subscription import Subscription
from swarmage.drone.cell import Cell
from swarmage.drone.credit import EXTRA, Credit
from swarmage.drone.intake import Intake
from swarmage.drone.messages import Run
from swarmage.wire.names import task_destination

LOOKS_WHEN_SHORT = 5
"""Where tasks have proved short it is rather the machine that is busy, and giving a thousand back costs more."""


class Taking:
    """The subscriptions of a drone. Owned by the drone's thread.

    Attributes:
        task_classes: what it takes.
    """

    def __init__(
        self,
        cell: Cell,
        abilities: Mapping[str, Ability[..., Any]],
        able: Mapping[str, int],
        workers: Iterable[type[Any]],
    ) -> None:
        self.task_classes = tuple(able)
        self._mailbox = cell.mailbox
        self._bus = cell.bus
        self._cell = cell
        self._caps = {name: ability.policy.crashes for name, ability in abilities.items()}
        self._credits = {name: Credit(count) for name, count in able.items()}
        self._heads: dict[str, tuple[Run | None, int]] = dict.fromkeys(able, (None, 0))  # what came first how often
        self._left: set[str] = set()  # the classes left to others until a worker is free
        self._paused = True
        self._siblings: dict[str, set[str]] = {name: set() for name in able}  # classes that share a worker with it
        for worker in workers:
            for name in worker.abilities:
                self._siblings[name].update(worker.abilities)

    def start(self) -> None:
        """Take tasks of all classes, as at first."""
        self._paused = False
        self._left.clear()
        for name, credit in self._credits.items():
            credit.extra = False
            self._subscribe(name, credit.workers)

    def stop(self) -> None:
        """Take no more; what waits stays in its lanes."""
        self._paused = True
        for name in self._credits:
            self._unsubscribe(name)

    def give_back_waiting(self, wanted: Callable[[Run], bool] = lambda run: True) -> None:
        """Give back what nobody has begun."""
        for name in self._credits:
            self._give_back(self._mailbox.remove_waiting(name, wanted))

    def _subscribe(self, name: str, prefetch: int, *, extra: bool = False) -> None:
        cell = self._cell
        intake = Intake(cell.mailbox, cell.wire, cell.clock, extra=extra, crashes=self._caps[name])
        self._bus.subscribe(
            Subscription(
                id=f"{'extra' if extra else 'task'}.{name}",
                destination=task_destination(name),
                receive=intake.receive,
                prefetch=prefetch,
            )
        )

    def _unsubscribe(self, name: str) -> None:
        self._bus.unsubscribe(f"task.{name}")
        self._bus.unsubscribe(f"extra.{name}")

    def _give_back(self, runs: Iterable[Run]) -> None:
        self._bus.give_back([run.tree.delivery for run in runs])

    # credit

    def observe(self, finished: Iterable[Run]) -> None:
        """Judge by runs that have ended how many tasks of their classes to take."""
        touched = set()
        for run in finished:
            if run.local is None:
                touched.add(run.task.task_class)
                self._credits[run.task.task_class].observe(run.seconds)
        if not self._paused:
            for name in touched - self._left:
                self._adjust(name)

    def _adjust(self, name: str) -> None:
        credit = self._credits[name]
        wanted = credit.wanted()
        if wanted == credit.extra:
            return
        credit.extra = wanted
        if wanted:
            self._subscribe(name, EXTRA, extra=True)
            return
        self._bus.unsubscribe(f"extra.{name}")
        self._give_back(self._mailbox.remove_waiting(name, lambda run: run.extra))

    # leaving tasks to others

    def look(self) -> None:
        """Give back what is stuck behind busy workers; called now and then."""
        if self._paused:
            return
        for name in self._credits:
            credit = self._credits[name]
            head, seen = self._heads[name]
            enough = seen >= (LOOKS_WHEN_SHORT if credit.extra else 1)
            stuck, first = self._mailbox.remove_stuck(name, head if enough else None)
            self._heads[name] = (first, seen + 1 if first is head else 1)
            if stuck:
                self._left.add(name)
                self._unsubscribe(name)
                self._give_back(stuck)
                credit.extra = credit.wanted(stalled=True)
        for name in tuple(self._left):
            if self._mailbox.lanes[name].has_idle:
                self._take_again(name)

    def make_room(self) -> None:
        """Take again what was left to others and a worker is free for; called when runs have ended, before their acks.

        Before, because the acks make room for tasks of the class that was just performed: so the classes take turns.
        """
        lanes = self._mailbox.lanes
        for name in tuple(self._left):
            if not any(lanes[sibling].bus or lanes[sibling].local for sibling in self._siblings[name]):
                self._take_again(name)

    @property
    def leaves_some(self) -> bool:
        """Whether tasks of some class are left to others."""
        return bool(self._left)

    def _take_again(self, name: str) -> None:
        self._left.discard(name)
        self._heads[name] = (None, 0)
        self._subscribe(name, self._credits[name].workers)
