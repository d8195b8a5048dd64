"""The workers of one drone: as many as wanted, supervised as declared.

From: drone.  To: worker.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from swarmage.abilities import Ability
from swarmage.annotations import unresolved
from swarmage.drone.cell import Cell
from swarmage.drone.keyed.checks import check_bus, check_kinds
from swarmage.drone.keyed.host import KeyedHost
from swarmage.drone.keyed.lane import keyed_lanes
from swarmage.drone.run import Run
from swarmage.drone.supervision.declared import roots_of, workers_of
from swarmage.drone.supervision.planting import Planting
from swarmage.drone.supervision.post import Child, Post
from swarmage.drone.supervision.roster import stop_in_turn
from swarmage.drone.worker import Worker
from swarmage.errors import AbilityError, ConfigError

logger = logging.getLogger("swarmage.drone")

STOP_SECONDS = 2.0
"""Seconds that the actors of a tree have to stop in, one after another, when the drone does."""


class Crew:
    """All workers of a drone, and the other actors of its trees. Owned by the drone's thread once it runs.

    Attributes:
        abilities: what the workers are able to do, by task class.
        able: how many tasks of a class they are able to perform at once.
    """

    def __init__(self, classes: Sequence[type[Any]], concurrency: Mapping[str, int], cell: Cell) -> None:
        """Check what is to be started; nothing starts before `start`.

        Raises:
            ConfigError: there is no Worker, or a setting makes no sense.
        """
        roots = roots_of(classes)
        given = _with_concurrency(workers_of(roots), concurrency)
        self._clock, self._bus, self._mailbox = cell.clock, cell.bus, cell.mailbox
        planting = Planting(given, cell)
        self._counts = planting.counts
        self._given = dict(self._counts)
        self._roster = planting.roster
        self._trees = planting.trees(roots)
        self._ranks = planting.ranks
        self.abilities: dict[str, Ability[..., Any]] = {}
        self.able: dict[str, int] = {}
        self._keyed = any(issubclass(worker_class, KeyedHost) for worker_class in self._counts)
        for worker_class, count in self._counts.items():
            for name, ability in worker_class.abilities.items():
                self.abilities.setdefault(name, ability)
                for parameter in unresolved(ability.function):
                    logger.warning(
                        "%s: the annotation of %s names what is not imported, so nothing is converted to it",
                        name,
                        parameter,
                    )
            for name in _lanes_of(worker_class):
                self.able[name] = self.able.get(name, 0) + count
        check_kinds(self._counts)

    def start(self) -> None:
        """Start all actors, and return when each has been through its `on_start`.

        Raises:
            ConfigError: one cannot be made or started; the message says which and why.
        """
        if self._keyed:
            check_bus(self._bus)
        for tree in self._trees:
            tree.begin_now(self._clock.monotonic())

    @property
    def classes(self) -> list[type[Worker]]:
        """What workers are actors of."""
        return list(self._counts)

    @property
    def workers(self) -> list[Worker]:
        """The workers that take tasks."""
        return self._roster.workers

    @property
    def everybody(self) -> list[Worker]:
        """All workers, and those that only finish what they do."""
        return self._roster.everybody

    @property
    def failure(self) -> str:
        """Why a tree has failed, and with it the drone; empty while none has."""
        return next((tree.failure for tree in self._trees if tree.failure), "")

    def resize(self, wanted: Mapping[str, int]) -> bool:
        """Start and stop workers until there are as many as wanted; say whether that changed anything.

        Args:
            wanted: how many, by the name of their class; of a class that is not named as many as at first.
        """
        changed = False
        for worker_class, given in self._given.items():
            before = self._counts[worker_class]
            count = min(wanted.get(worker_class.__name__, given), worker_class.most_concurrency)
            if worker_class.on_loop:
                for worker in self.workers:
                    if isinstance(worker, worker_class):
                        worker._resize(count)
            elif count > before:
                count = before + self._start_more(worker_class, count - before)
            elif count < before:
                self._let_go(worker_class, before - count)
            if count != before:
                logger.info("%d workers %s, %d before", count, worker_class.__qualname__, before)
                self._count(worker_class, count)
                changed = True
        return changed

    def _start_more(self, worker_class: type[Worker], number: int) -> int:
        """Start workers; return how many did."""
        tree, rank = self._ranks[worker_class]
        for started in range(number):
            post = Post(worker_class, self._roster, tree.path)
            try:
                tree.add(rank, post, self._clock.monotonic())
            except ConfigError as error:
                logger.error("%s; so fewer are there than ordered", error)  # noqa: TRY400 - the message says it all
                return started
        return number

    def _let_go(self, worker_class: type[Worker], number: int) -> None:
        """Stop workers: first those that are not there, then the idle ones."""
        tree, rank = self._ranks[worker_class]

        def busy(post: Child) -> int:
            worker = post.actor if isinstance(post, Post) and post.up else None
            return 1 + len(worker.current_runs) if isinstance(worker, Worker) else 0

        for post in sorted(rank, key=busy)[:number]:
            tree.remove(rank, post, self._clock.monotonic())

    def _count(self, worker_class: type[Worker], count: int) -> None:
        for name in _lanes_of(worker_class):
            self.able[name] += count - self._counts[worker_class]
        self._counts[worker_class] = count

    def look_after(self, now: float) -> None:
        """Enforce time limits, start again what has died, as its Supervisor says, let idle actors of keys go."""
        for lane in keyed_lanes(self._mailbox) if self._keyed else ():
            with self._mailbox.lock:
                lane.passivate(now)
        self._roster.look_after(now)
        for tree in self._trees:
            tree.look(now)

    def overrun(self, now: float) -> list[Run]:
        """Hand in what is over its hard limit and has not ended; return it."""
        over = []
        for worker in self.everybody:
            for run in worker.current_runs if worker.has_hard_limit else ():
                if run.must_end is not None and now >= run.must_end:
                    worker._overrun(run)
                    over.append(run)
        return over

    def stop(self) -> None:
        """Let all actors go, those of a tree one after another; what still runs is ended where that can be done."""
        *trees, others = ([*tree.posts_by_rank()] for tree in self._trees)
        ranks = [*itertools.chain.from_iterable(trees), [post for rank in others for post in rank]]
        there = [[post.actor for post in rank if post.actor is not None] for rank in reversed(ranks)]
        let_go = partial(self._roster.let_go, at_once=True)
        stop_in_turn(there, let_go, STOP_SECONDS if trees else 0.0)
        self._roster.stop()


def _lanes_of(worker_class: type[Worker]) -> Iterable[str]:
    """Return the names under which its tasks come from the bus: of a KeyedWorker the kind, for all of them together."""
    return (worker_class.kind,) if issubclass(worker_class, KeyedHost) else worker_class.abilities


def _with_concurrency(classes: Sequence[type[Worker]], concurrency: Mapping[str, int]) -> dict[type[Worker], int]:
    if not classes:
        raise ConfigError("a drone needs at least one Worker class")
    by_name = {worker_class.__name__: worker_class for worker_class in classes}
    for name, count in concurrency.items():
        if name not in by_name:
            raise ConfigError(
                f"there is no Worker class {name!r} to give a concurrency; there are: {', '.join(by_name)}"
            )
        most = by_name[name].most_concurrency
        if not 1 <= count <= most:
            raise ConfigError(f"the concurrency of {name} must be 1 to {most}, not {count}")
    for worker_class in classes:
        if not worker_class.abilities:
            raise AbilityError(f"{worker_class.__qualname__} has no abilities; declare its methods with @ability")
    return {worker_class: concurrency.get(worker_class.__name__, worker_class.concurrency) for worker_class in classes}
