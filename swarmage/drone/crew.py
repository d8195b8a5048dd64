"""The workers of one drone: starting them, replacing those that died, stopping them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from queue import Empty
from typing import TYPE_CHECKING, Any

from swarmage.abilities import Ability
from swarmage.annotations import unresolved
from swarmage.drone.cell import Cell, starting
from swarmage.drone.keyed.checks import check_bus, check_kinds
from swarmage.drone.keyed.host import KeyedHost
from swarmage.drone.keyed.lane import keyed_lanes
from swarmage.drone.processes.keeper import keeper_of
from swarmage.drone.processes.keeping import NotStarted
from swarmage.drone.run import Run
from swarmage.drone.worker import Worker
from swarmage.errors import AbilityError, ConfigError

if TYPE_CHECKING:
    from swarmage.drone.coroutines.async_loop import EventLoop

logger = logging.getLogger("swarmage.drone")

START_TIMEOUT = 60.0
"""Seconds a worker's `on_start` may take."""


class Crew:
    """All workers of a drone. Owned by the drone's thread once it runs.

    Attributes:
        workers: the actors.
        abilities: what they are able to do, by task class.
        able: how many tasks of a class they are able to perform at once.
    """

    def __init__(self, classes: Sequence[type[Worker]], concurrency: Mapping[str, int], cell: Cell) -> None:
        self._cell = cell
        self._loop: EventLoop | None = None
        self._counts = _with_concurrency(classes, concurrency)
        self._given = dict(self._counts)
        self._leaving: list[Worker] = []
        self.workers: list[Worker] = []
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
        """Start all workers, and return when each has been through its `on_start`.

        Raises:
            ConfigError: one cannot be made or started; the message says which and why.
        """
        if self._keyed:
            check_bus(self._cell.bus)
        for worker_class, count in self._counts.items():
            for _ in range(1 if worker_class.on_loop else count):
                self._start(worker_class)

    def _start(self, worker_class: type[Worker]) -> None:
        name = worker_class.__qualname__
        token = starting.set(self._cell_for(worker_class))
        try:
            ref = worker_class.start()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # its __init__ is user code, which may call sys.exit()
            raise ConfigError(f"worker {name} cannot be made: {type(error).__name__}: {error}") from error
        finally:
            starting.reset(token)
        worker = None
        while worker is None or worker.actor_ref is not ref:  # one that was given up earlier may start only now
            if worker is not None:
                worker.leave()
            try:
                worker, failure = self._cell.started.get(timeout=START_TIMEOUT)
            except Empty:
                raise ConfigError(f"worker {name} has not started in {START_TIMEOUT:.0f} s") from None
        if isinstance(failure, NotStarted):
            raise ConfigError(f"worker {name} {failure}") from failure
        if failure is not None:
            raise ConfigError(f"worker {name} cannot start: {type(failure).__name__}: {failure}") from failure
        self.workers.append(worker)

    def _cell_for(self, worker_class: type[Worker]) -> Cell:
        """Return the cell as a worker of this class sees it; the first one that needs the event loop starts it."""
        if not worker_class.on_loop:
            return self._cell
        if self._loop is None:
            from swarmage.drone.coroutines.async_loop import EventLoop  # noqa: PLC0415 - a cell of threads needs no asyncio

            self._loop = EventLoop()
            self._loop.start()
        return replace(self._cell, loop=self._loop, slots=self._counts[worker_class])

    @property
    def everybody(self) -> list[Worker]:
        """All workers, and those that only finish what they do."""
        return self.workers + self._leaving

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
                        worker.resize(count)
            elif count > before:
                count = before + self._start_more(worker_class, count - before)
            elif count < before:
                present = [worker for worker in self.workers if type(worker) is worker_class]
                present.sort(key=lambda worker: len(worker.current_runs))  # the idle ones first
                for worker in present[: before - count]:
                    self._let_go(worker)
            if count != before:
                logger.info("%d workers %s, %d before", count, worker_class.__qualname__, before)
                self._count(worker_class, count)
                changed = True
        return changed

    def _start_more(self, worker_class: type[Worker], number: int) -> int:
        """Start workers; return how many did."""
        for started in range(number):
            try:
                self._start(worker_class)
            except ConfigError as error:
                logger.error("%s; so fewer are there than ordered", error)  # noqa: TRY400 - the message says it all
                return started
        return number

    def _count(self, worker_class: type[Worker], count: int) -> None:
        for name in _lanes_of(worker_class):
            self.able[name] += count - self._counts[worker_class]
        self._counts[worker_class] = count

    def _let_go(self, worker: Worker) -> None:
        self.workers.remove(worker)
        self._leaving.append(worker)
        worker.leave()

    def look_after(self, now: float) -> None:
        """Enforce time limits, replace workers that died of a message, let idle actors of keys leave memory."""
        for lane in keyed_lanes(self._cell.mailbox) if self._keyed else ():
            with self._cell.mailbox.lock:
                lane.passivate(now)
        if self._loop is not None:
            self._loop.look(now)
        for worker in tuple(self._leaving):
            worker.limit.enforce(now)
            if worker.gone:
                worker.give_up()
                self._leaving.remove(worker)
        for worker in tuple(self.workers):
            worker.limit.enforce(now)
            if worker.actor_ref.is_alive():
                continue
            worker.give_up()
            logger.error("worker %s has died; another takes its place", type(worker).__qualname__)
            try:
                self._start(type(worker))
            except ConfigError as error:
                logger.error("%s; trying again", error)  # noqa: TRY400 - the message says it all
            else:
                self.workers.remove(worker)

    def overrun(self, now: float) -> list[Run]:
        """Hand in what is over its hard limit and has not ended; return it."""
        over = []
        for worker in self.everybody:
            for run in worker.current_runs if worker.has_hard_limit else ():
                if run.must_end is not None and now >= run.must_end:
                    worker.overrun(run)
                    over.append(run)
        return over

    def stop(self) -> None:
        """Let all workers go; what still runs is ended where that can be done: coroutines, and tasks in processes."""
        for worker in self.everybody:
            worker.leave(at_once=True)
        if self._loop is not None:
            self._loop.stop()
        for worker in self.everybody:
            worker.wait_until_gone()


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
    return {
        keeper_of(worker_class): concurrency.get(worker_class.__name__, worker_class.concurrency)
        for worker_class in classes
    }
