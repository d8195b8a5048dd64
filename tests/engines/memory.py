"""The bus in memory as one more engine: it and its drones live in the process of the tests, and die there, too."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pykka

from benchmarks.brokers import Broker
from swarmage import Drone, Worker
from swarmage.bus.memory import LISTENING
from swarmage.settings import Address
from swarmage.testing.clock import AdvancingClock
from swarmage.testing.crashes import Crashes
from swarmage.testing.ledger import Ledger
from swarmage.testing.memory_bus import MemoryBus
from swarmage.testing.tested_drone import TestedDrone

TURN_SECONDS = 0.01
"""Between two looks at what time has made due, which elsewhere is the bus's own business."""


class Memory(Broker):
    """A bus in memory. What it has stored outlives it, as on a disk."""

    name = "memory"

    def __init__(self, folder: Path, *, lean: bool = False) -> None:
        """Listen at a name that nobody else has."""
        super().__init__(folder, lean=lean)
        self.address = Address(host=f"engines-{id(self)}", memory=True)
        self._bus: MemoryBus | None = None
        self._ended = threading.Event()
        self._turning = threading.Thread(target=self._turn, daemon=True)

    def __exit__(self, *_: object) -> None:
        if self._bus is not None:
            self._ended.set()
            self._turning.join()
            self._bus.stop()
        super().__exit__()

    def start(self) -> None:
        """Begin to listen, or listen again with what was stored."""
        if self._bus is None:
            self._bus = MemoryBus(self.address.host, AdvancingClock(), Ledger(), Crashes(lambda connection: None))
            self._turning.start()
        LISTENING[self.address.host] = self._bus

    def wait_until_up(self) -> None:
        """Return at once: who starts it has it."""

    def kill(self) -> None:
        """Lose all connections and everything that is not stored, and listen no more."""
        if self._bus is not None:
            LISTENING.pop(self.address.host, None)
            self._bus.crash()

    def _turn(self) -> None:
        assert self._bus is not None
        while not self._ended.wait(TURN_SECONDS):
            self._bus.turn()


class MemoryDrones:
    """Drones in this process of which each that dies is replaced, as a supervisor does with processes."""

    def __init__(self, url: str, workers: Callable[[Callable[[], None]], type[Worker]], count: int) -> None:
        """Start so many.

        Args:
            url: of the bus.
            workers: makes the Worker class of one drone out of what kills this drone.
            count: how many drones there are.
        """
        self._url = url
        self._workers = workers
        self._born: list[TestedDrone] = []
        self._lock = threading.Lock()
        for _ in range(count):
            self._start()

    def kill_one(self) -> None:
        """Kill the one that has been there longest."""
        self._die(next(drone for drone in self._born if not drone.crashed).actor_ref)

    def stop(self) -> None:
        """End them all."""
        for drone in self._born:
            if drone.actor_ref.is_alive():
                drone.actor_ref.stop()

    def _start(self) -> None:
        mine: list[pykka.ActorRef[Drone]] = []
        worker = self._workers(lambda: self._die(mine[0]))
        settings: dict[str, Any] = {"workers": [worker], "url": self._url, "grace": 5.0}
        mine.append(TestedDrone.start(born=self._born, **settings))

    def _die(self, ref: pykka.ActorRef[Drone]) -> None:
        with self._lock:
            drone = next(drone for drone in self._born if drone.actor_ref == ref)
            if not drone.crashed:
                drone.crash()
                self._start()
