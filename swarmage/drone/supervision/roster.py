"""The actors of one cell: making them, waiting for them, letting them go."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pykka

from swarmage.clock import SYSTEM_CLOCK
from swarmage.drone.cell import Cell, starting
from swarmage.drone.messages import TICK
from swarmage.drone.processes.keeping import NotStarted
from swarmage.drone.supervision.watching import Watching
from swarmage.drone.worker import Worker
from swarmage.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from swarmage.drone.coroutines.async_loop import EventLoop

START_TIMEOUT = 60.0
"""Seconds an actor's `on_start` may take."""


class Roster:
    """Who is there. Owned by the drone's thread once it runs.

    Attributes:
        workers: the Workers that take tasks.
        leaving: those that only finish what they do.
    """

    def __init__(self, cell: Cell, counts: Mapping[type[Worker], int]) -> None:
        """Begin with nobody.

        Args:
            cell: what workers share with their drone.
            counts: how many tasks at once the AsyncWorker of a class is to perform, read when one is made.
        """
        self._cell = cell
        self._counts = counts
        self._roused = False
        self.loop: EventLoop | None = None
        self.workers: list[Worker] = []
        self.leaving: list[Worker] = []

    @property
    def everybody(self) -> list[Worker]:
        """All Workers, and those that only finish what they do."""
        return self.workers + self.leaving

    def launch(self, actor_class: type[Watching], path: str) -> Watching:
        """Make an actor and start it; it has yet to go through its `on_start`.

        Raises:
            ConfigError: it cannot be made; the message says which and why.
        """
        in_cell = self._cell_for(actor_class) if issubclass(actor_class, Worker) else None
        token = starting.set(in_cell)
        try:
            actor = actor_class()
            life = actor._life
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # its __init__ is user code, which may call sys.exit()
            what = called(actor_class)
            raise ConfigError(f"{what} cannot be made: {type(error).__name__}: {error}") from error
        finally:
            starting.reset(token)
        life.path = path
        life.rouse = self._rouse
        pykka.ActorRegistry.register(actor.actor_ref)
        actor._start_actor_loop()
        return actor

    def _rouse(self) -> None:
        if not self._roused:  # one look will do for all who have begun meanwhile
            self._roused = True
            self._cell.mailbox.put(TICK)

    def _cell_for(self, worker_class: type[Worker]) -> Cell:
        """Return the cell as a worker of this class sees it; the first one that needs the event loop starts it."""
        if not worker_class.on_loop:
            return self._cell
        if self.loop is None:
            from swarmage.drone.coroutines.async_loop import EventLoop  # noqa: PLC0415 - a cell of threads needs no asyncio

            self.loop = EventLoop()
            self.loop.start()
        return replace(self._cell, loop=self.loop, slots=self._counts[worker_class])

    def admit(self, actor: Watching) -> None:
        """Count an actor as there, since it has begun."""
        if isinstance(actor, Worker):
            self.workers.append(actor)

    def let_go(self, actor: Watching, *, at_once: bool = False) -> None:
        """Have an actor stop when it has finished what it does, and take no more tasks."""
        if isinstance(actor, Worker):
            if actor in self.workers:
                self.workers.remove(actor)
            if actor not in self.leaving and not actor._gone:
                self.leaving.append(actor)
            actor._let_go(at_once=at_once)
        else:
            actor.actor_ref.stop(block=False)

    def withdraw(self, actor: Watching) -> None:
        """Leave the names of an actor that has not ended to the one that takes its place."""
        remote = self._cell.remote
        if remote is not None and not actor._life.over.is_set():
            remote.withdraw(actor.actor_ref)

    def bury(self, actor: Watching) -> None:
        """Hand in what nobody will, now that an actor has died; its coroutines go on."""
        if isinstance(actor, Worker) and actor in self.workers:
            self.workers.remove(actor)
            actor._give_up()
            if not actor._gone:
                self.leaving.append(actor)

    def look_after(self, now: float) -> None:
        """Enforce time limits, and forget who has left."""
        self._roused = False  # before looking: who has begun after this rouses again
        if self.loop is not None:
            self.loop.look(now)
        for worker in self.workers:
            worker._limit.enforce(now)
        for worker in tuple(self.leaving):
            worker._limit.enforce(now)
            if worker._gone:
                worker._give_up()
                self.leaving.remove(worker)

    def stop(self) -> None:
        """Let all Workers go; what still runs is ended where that can be done: coroutines, and tasks in processes."""
        for worker in self.everybody:
            worker._let_go(at_once=True)
        if self.loop is not None:
            self.loop.stop()
        for worker in self.everybody:
            worker.wait_until_gone()


def called(actor_class: type[Watching]) -> str:
    """Return what logs and errors call an actor of this class."""
    return f"{'worker' if issubclass(actor_class, Worker) else 'actor'} {actor_class.__qualname__}"


def how_it_ended(actor: Watching) -> str:
    """Return in words how an actor ended that was not told to."""
    life = actor._life
    reason = life.reason
    if isinstance(reason, NotStarted):
        return str(reason)
    if reason is None:
        return "has stopped" if life.begun else "has been stopped while it started"
    how = "has died of" if life.begun else "cannot start:"
    return f"{how} {type(reason).__name__}: {reason}"


def stop_in_turn(rounds: Iterable[list[Watching]], let_go: Callable[[Watching], None], seconds: float) -> None:
    """Stop actors, those of one round together and each round when the one before is gone, or the time is over."""
    deadline = SYSTEM_CLOCK.monotonic() + seconds
    for actors in rounds:
        for actor in actors:
            let_go(actor)
        for actor in actors:
            actor._life.over.wait(max(0.0, deadline - SYSTEM_CLOCK.monotonic()))
