"""What a drone takes from the bus: one subscription for each task class, with as much credit as it has workers.

From: bus.  To: intake.

Prefetch is fixed by SUBSCRIBE and counts what one subscription has delivered. So credit grows by one more subscription
to the same queue; and what still runs of a subscription that was dropped counts against the credit of the next one.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Set
from functools import partial
from typing import Any

from swarmage.abilities import Ability
from swarmage.bus.subscription import Subscription
from swarmage.drone.cell import Cell
from swarmage.drone.credit import EXTRAS, Extra
from swarmage.drone.holding import Holding
from swarmage.drone.intake import Intake
from swarmage.drone.keyed.intake import AHEAD, KeyedIntake, KeylessIntake
from swarmage.drone.line import Line
from swarmage.drone.outlived import Outlived
from swarmage.drone.run import Run
from swarmage.drone.silence import answer_probe
from swarmage.drone.standing import Standing
from swarmage.wire.names import keyed_destination, kind_of, task_destination

STOPPING = "stopping"
"""The reason nobody takes back."""


class Subscribing:
    """All subscriptions to task classes. Owned by the drone's thread.

    Attributes:
        spared: what is performed although its class is paused: it is never given back.
        holding: what waits here while its class is paused, where the bus takes nothing back.
        outlived: when connections were lost.
    """

    def __init__(
        self, cell: Cell, abilities: Mapping[str, Ability[..., Any]], able: Mapping[str, int], standing: Standing
    ) -> None:
        self.spared: Run | None = None
        self.holding = Holding(cell.mailbox)
        self.outlived = Outlived(cell.mailbox, cell.clock)
        self._cell = cell
        self._caps = {name: ability.policy.crashes for name, ability in abilities.items()}
        self._standing = standing
        self._lines = {task_class: Line(task_class, workers) for task_class, workers in able.items()}
        self._keyed = [name for name, ability in abilities.items() if ability.keyed]
        self._kinds = set(map(kind_of, self._keyed))
        self._numbers = itertools.count(1)

    @property
    def task_classes(self) -> Set[str]:
        """What this drone is able to perform."""
        return self._lines.keys()

    @property
    def kinds(self) -> Set[str]:
        """Those of them that stand for the keys of a kind of actor, with all its task classes."""
        return self._kinds

    @property
    def paused(self) -> dict[str, list[str]]:
        """The task classes that are not taken now, and for which reasons."""
        return {task_class: sorted(line.paused) for task_class, line in self._lines.items() if line.paused}

    def start(self) -> None:
        """Take all task classes that are not paused."""
        for task_class in self._lines:
            self._grant(task_class)
        cell = self._cell
        for name in self._keyed:
            refused = KeylessIntake(cell.mailbox, cell.wire, cell.clock).receive
            cell.bus.subscribe(Subscription(id=f"keyless.{name}", destination=task_destination(name), receive=refused))

    def stop(self) -> None:
        """Take nothing any more; what waits in the Local Queue is the caller's to give back."""
        for line in self._lines.values():
            if self._gives_back:
                self._drop(line)
            line.paused.add(STOPPING)
        for name in self._keyed:
            self._cell.bus.unsubscribe(f"keyless.{name}")

    # for whoever has a reason

    def pause(self, task_class: str, reason: str) -> None:
        """Take no more tasks of a class, and give back those that nobody has begun, without counting that."""
        line = self._lines[task_class]
        if not self._gives_back:
            self.holding.pause(task_class, self.spared)
        elif not line.paused:
            self._drop(line)
            self._give_back(task_class)
        line.paused.add(reason)

    def resume(self, task_class: str, reason: str) -> None:
        """Take tasks of a class again, unless there is another reason not to; safe when there was none at all."""
        line = self._lines[task_class]
        if reason in line.paused:
            line.paused.discard(reason)
            if not line.paused:
                self.holding.resume(task_class)
            self._grant(task_class)

    def resize(self, able: Mapping[str, int]) -> None:
        """Adapt to another number of workers: as many tasks as they can perform at once, and no more."""
        for task_class, workers in able.items():
            line = self._lines[task_class]
            fewer = workers < line.credit.workers
            line.credit.workers = workers
            if fewer and line.granted > workers and not line.paused and self._gives_back:
                self._drop(line)
                self._give_back(task_class)
            self._grant(task_class)

    def has_extra(self, task_class: str) -> bool:
        """Say whether a class has proved short, so that far more of it is taken than can be performed at once."""
        return self._lines[task_class].credit.short

    # for who watches over it

    @property
    def watched(self) -> Set[str]:
        """The task classes of which the bus owes this drone something: a key's tasks may wait for another drone."""
        return self._lines.keys() - self._kinds

    def take_heard(self) -> set[str]:
        """Return the task classes of which something has come since this was called before."""
        return {task_class for task_class, line in self._lines.items() if line.take_heard()}

    def has_room(self, task_class: str) -> bool:
        """Say whether the bus should bring a task of this class now, if it has one."""
        line = self._lines[task_class]
        here = sum(1 for tree in tuple(self._cell.mailbox.trees.values()) if tree.task.task_class == task_class)
        return not line.paused and here < line.granted

    # what the drone tells

    def observe(self, runs: list[Run]) -> None:
        """Take note of runs that have ended."""
        touched = set()
        for run in runs:
            if run.local is None and run.task.key is None:
                touched.add(run.task.task_class)
                self._lines[run.task.task_class].credit.observe(run.seconds)
        for task_class in touched:
            self._adjust(task_class)

    def tick(self) -> None:
        """Look after what no message tells of."""
        for task_class, line in self._lines.items():
            if line.paused and self._gives_back:
                self._give_back(task_class)  # what was on its way when it was paused
            elif line.granted < line.credit.workers:
                self._grant(task_class)

    def _adjust(self, task_class: str) -> None:
        line = self._lines[task_class]
        if not self._gives_back:  # nothing but the end of the connection could take the extra credit away again
            return
        held, wanted = line.credit.held, None if line.paused else line.credit.wanted()
        if wanted is held:
            return
        line.credit.held = wanted
        if wanted is not None:
            self._subscribe(_id_of(wanted, task_class), task_class, wanted.tasks(line.credit.workers), extra=True)
        if held is not None:
            self._cell.bus.unsubscribe(_id_of(held, task_class))
            if wanted is None or wanted.ahead < held.ahead:
                self._give_back(task_class, only_extra=True)

    def _grant(self, task_class: str) -> None:
        """Subscribe for the workers that no subscription feeds yet, and that are not busy with what an old one left."""
        line = self._lines[task_class]
        left = line.credit.workers - line.granted
        if line.paused or left <= 0:
            return
        left -= self._stranded(task_class, line)
        if left > 0:
            id_ = f"task.{task_class}#{next(self._numbers)}"
            line.ids.append(id_)
            line.granted += left
            ahead = 0 if self._gives_back or len(line.ids) > 1 else self._cell.bus.address.ahead
            self._subscribe(id_, task_class, left + ahead)

    def _stranded(self, task_class: str, line: Line) -> int:
        """Return how many tasks are here that came by a subscription which is no more."""
        known = {*line.ids, *(_id_of(extra, task_class) for extra in EXTRAS)}
        trees = tuple(self._cell.mailbox.trees.values())
        here = [tree for tree in trees if tree.task.task_class == task_class]
        return sum(1 for tree in here if tree.delivery.headers.get("subscription") not in known)

    @property
    def _gives_back(self) -> bool:
        return self._cell.bus.dialect.gives_back

    def _drop(self, line: Line) -> None:
        for id_ in line.ids:
            self._cell.bus.unsubscribe(id_)
        line.ids, line.granted = [], 0
        line.intakes.clear()
        if line.credit.held is not None:
            self._cell.bus.unsubscribe(_id_of(line.credit.held, line.task_class))
        line.credit.held = line.credit.wanted(stalled=True)

    def _give_back(self, task_class: str, *, only_extra: bool = False) -> None:
        spared = self.spared
        removed = self._cell.mailbox.remove_waiting(
            task_class, lambda run: run is not spared and (run.extra or not only_extra)
        )
        self._cell.bus.give_back([run.tree.delivery for run in removed])

    def _subscribe(self, id_: str, task_class: str, prefetch: int, *, extra: bool = False) -> None:
        cell = self._cell
        if task_class in self._kinds:
            keyed = KeyedIntake(cell.mailbox, cell.wire, cell.clock, task_class, self._caps, self._standing)
            keyed.outlived, taken = self.outlived.since, keyed.receive
            prefetch, where = max(prefetch, AHEAD), keyed_destination(task_class)
            cell.bus.subscribe(Subscription(id=id_, destination=where, receive=taken, prefetch=prefetch))
            return
        crashes = self._caps[task_class]
        dialect = cell.bus.dialect
        intake = Intake(
            cell.mailbox, cell.wire, cell.clock, extra=extra, crashes=crashes, standing=self._standing,
            counted=dialect.counts, put_runs=None if dialect.gives_back else self.holding.put_runs,
        )  # fmt: skip
        intake.probed, intake.outlived = partial(answer_probe, cell), self.outlived.since
        self._lines[task_class].intakes[id_] = intake
        destination = task_destination(task_class)
        cell.bus.subscribe(Subscription(id=id_, destination=destination, receive=intake.receive, prefetch=prefetch))


def _id_of(extra: Extra, task_class: str) -> str:
    return f"extra.{extra.ahead}.{task_class}"
