"""A whole swarm in one process: clients, drones and their workers on a bus in memory."""

from __future__ import annotations

import itertools
import os
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pykka

from swarmage.abilities import Ability
from swarmage.bus.memory import MemoryConnection
from swarmage.client.client import Client
from swarmage.client.default import close_default_client
from swarmage.client.reply import Reply
from swarmage.clock import SYSTEM_CLOCK
from swarmage.drone.drone import Drone
from swarmage.drone.supervision.declared import Root
from swarmage.errors import ConfigError
from swarmage.home import write_secret
from swarmage.remote.default import HERE
from swarmage.task import Task
from swarmage.testing.clock import AdvancingClock
from swarmage.testing.crashes import Crashes, Point
from swarmage.testing.ledger import Ledger
from swarmage.testing.memory_bus import MemoryBus
from swarmage.testing.tested_drone import TestedDrone
from swarmage.wire.envelope import DeadBody, Wire

SECONDS = 10.0
"""How long `settle`, `drain` and `stop` wait, and how long a test's replies should be waited for at most."""

LEAVING = 10.0
"""Seconds that a drone has to leave in when its time to drain is over: it ends trees and coroutines."""

_numbers = itertools.count(1)


class Swarm:
    """A swarm for a test: the codec, the signatures and the bus's queues are the real ones, only the sockets are not.

    While it runs, SWARMAGE_URL and SWARMAGE_HOME name it, so that code under test finds it with a plain ``Client()``.

    Example:
        with Swarm(Census) as swarm:
            assert swarm.insert(Census.census, "/usr/share/doc").result(timeout=5) == {...}
            assert [task.args for task in swarm.inserted("report.mail")] == [["/usr/share/doc"]]

    Args:
        workers: Worker and Supervisor classes for a first drone; without any there is none, and tasks wait.
        concurrency: actors per class in each drone, by the class's name, instead of the class's own.

    Attributes:
        url: where its bus listens, in this process only.
        clock: the time of the bus, of `client` and of the drones.
        client: inserts tasks.
    """

    def __init__(self, *workers: Root, concurrency: Mapping[str, int] | None = None) -> None:
        self._folder = TemporaryDirectory(prefix="swarm-")
        write_secret(Path(self._folder.name) / "key", secrets.token_hex(32) + "\n")
        name = f"swarm-{next(_numbers)}"
        self.url = f"memory://{name}"
        self.clock = AdvancingClock()
        self._ledger = Ledger()
        self._crashes = Crashes(self._killer_of)
        self._bus = MemoryBus(name, self.clock, self._ledger, self._crashes)
        self._drones: list[TestedDrone] = []
        self._environment = self._enter()
        self.client = Client(self.url, clock=self.clock)
        self._wire: Wire = self.client.wire
        if workers:
            self.start(*workers, concurrency=concurrency)

    def _enter(self) -> dict[str, str | None]:
        ours = {"SWARMAGE_URL": self.url, "SWARMAGE_HOME": self._folder.name}
        before = {name: os.environ.get(name) for name in (*ours, "SWARMAGE_KEY_FILE")}
        os.environ.pop("SWARMAGE_KEY_FILE", None)
        os.environ.update(ours)
        return before

    def __enter__(self) -> Swarm:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, *workers: Root, concurrency: Mapping[str, int] | None = None) -> pykka.ActorRef[Drone]:
        """Start one more drone with these workers, and return it."""
        settings = {"workers": workers, "url": self.url, "concurrency": concurrency, "clock": self.clock}
        return TestedDrone.start(born=self._drones, grace=SECONDS, **settings)

    def stop(self) -> None:
        """End everything; safe twice."""
        HERE.leave()  # what the code under test has asked without a client
        self.client.close()
        if self._environment:
            close_default_client()
        try:
            for drone in self._drones:
                drone.actor_ref.stop(timeout=SECONDS + LEAVING)
        finally:
            self._drones.clear()
            self._bus.stop()
            self._restore()
            self._folder.cleanup()

    def _restore(self) -> None:
        for name, value in self._environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._environment = {}

    # tasks

    def insert(self, ability: Ability[..., Any] | str, /, *args: Any, **kwargs: Any) -> Reply[Any]:
        """Insert a task, as `Client.insert` does."""
        return self.client.insert(cast("str", ability), *args, **kwargs)

    def settle(self, timeout: float = SECONDS) -> None:
        """Return when nothing waits and nothing runs; what is held back for later does not count.

        Raises:
            AssertionError: something still does after ``timeout`` seconds; the message names its queues.
        """
        deadline = SYSTEM_CLOCK.monotonic() + timeout
        with self._bus.changed:
            while left := self._bus.unsettled:
                if not self._bus.changed.wait(max(0.0, deadline - SYSTEM_CLOCK.monotonic())):
                    raise AssertionError(f"after {timeout:g} s there are still messages in {', '.join(left)}")

    def drain(self, timeout: float = SECONDS) -> None:
        """Settle, and jump ahead to each task that is held back, a retry say, until none is left.

        Raises:
            AssertionError: as in `settle`.
        """
        deadline = SYSTEM_CLOCK.monotonic() + timeout
        while True:
            self.settle(max(0.0, deadline - SYSTEM_CLOCK.monotonic()))
            due = self._bus.next_due
            if due is None:
                return
            self.advance(due + 0.001)

    def advance(self, seconds: float) -> None:
        """Let time pass for the bus, the drones and `client`: what is due then comes."""
        if seconds < 0:
            raise ConfigError(f"time cannot go back: advance({seconds!r})")
        self.clock.advance(seconds)
        self._bus.turn()

    # crashes

    def crash_drone(self, ref: pykka.ActorRef[Drone] | None = None) -> None:
        """Lose a drone, the one that started first unless another is given, as kill -9 does.

        What its workers run goes on in this process, for a thread cannot be killed; but no ack, reply or insert of it
        reaches the bus, which gives its tasks to others.

        Raises:
            ConfigError: there is no such drone.
        """
        for drone in self._drones:
            if not drone.crashed and ref in {None, drone.actor_ref}:
                drone.crash()
                return
        raise ConfigError("there is no such drone to crash")

    def crash_bus(self) -> None:
        """Lose the bus and start it again with what it had stored; everybody connects again by himself."""
        self._bus.crash()

    def crash_at(self, point: Point) -> None:
        """Let a crash happen at the next occasion: see `Point`.

        Raises:
            ConfigError: there is no such point.
        """
        with self._bus.changed:
            self._crashes.arm(point)

    @property
    def crashes(self) -> list[str]:
        """The points set with `crash_at` at which a crash has happened."""
        with self._bus.changed:
            return list(self._crashes.happened)

    def _killer_of(self, connection: MemoryConnection) -> Callable[[], None] | None:
        return next((drone.die for drone in self._drones if drone.owns(connection)), None)

    # what to assert on

    def inserted(self, task_class: Ability[..., Any] | str | None = None) -> list[Task]:
        """Return the tasks that came onto the bus so far, in order; of each its first attempt."""
        return [task for task in self._of(self._ledger.inserted, task_class) if task.attempt == 1 and not task.suspect]

    def retried(self, task_class: Ability[..., Any] | str | None = None) -> list[Task]:
        """Return the further attempts that came onto the bus so far, in order."""
        return [task for task in self._of(self._ledger.inserted, task_class) if task.attempt > 1]

    def acked(self, task_class: Ability[..., Any] | str | None = None) -> list[Task]:
        """Return the tasks that were acknowledged so far, in order: performed, to be retried, or dead.

        What a drone was lost with is replaced by a copy of itself first; that counts once, when the copy is.
        """
        copies = Counter(task.id for task in self._of(self._ledger.inserted, task_class) if task.suspect)
        acked = []
        for task in self._of(self._ledger.acked, task_class):
            if copies[task.id] and not task.suspect:
                copies[task.id] -= 1
            else:
                acked.append(task)
        return acked

    def dead(self) -> list[DeadBody]:
        """Return the dead letters that are there now, oldest first."""
        with self._bus.changed:
            return self._ledger.dead(self._wire)

    def _of(self, kept: Callable[[Wire], list[Task]], task_class: Ability[..., Any] | str | None) -> list[Task]:
        name = task_class.task_class if isinstance(task_class, Ability) else task_class
        with self._bus.changed:
            return [task for task in kept(self._wire) if name is None or task.task_class == name]
