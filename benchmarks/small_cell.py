"""A cell without a drone and a bus: the Local Queue, its workers, and a loop that takes what they have finished."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from swarmage import Worker
from swarmage.bus.bus import Bus
from swarmage.bus.delivery import Delivery
from swarmage.clock import SYSTEM_CLOCK
from swarmage.drone.cell import Cell
from swarmage.drone.crew import Crew
from swarmage.drone.local_queue import Mailbox
from swarmage.drone.run import Run, Tree
from swarmage.settings import Address
from swarmage.task import Task
from swarmage.wire.envelope import Wire

BURST = 64
"""Tasks that are put at once: about what one read from a busy socket brings."""
AHEAD = 1000
"""Tasks that wait at most: the credit of a class of short tasks."""
DEADLINE = 120.0


class _Nowhere:
    """Stands where a connection would."""

    lost = False
    server = "none"

    def write(self, *frames: bytes) -> None:
        """Drop what is written."""


class SmallCell:
    """Feeds workers and counts what they finish, as a drone does but for the bus."""

    def __init__(self, classes: Sequence[type[Worker]], concurrency: Mapping[str, int]) -> None:
        self._mailbox = Mailbox()
        bus = Bus(Address())
        wire = Wire(bytes(32), SYSTEM_CLOCK)
        cell = Cell(mailbox=self._mailbox, wire=wire, bus=bus, clock=SYSTEM_CLOCK)
        self._wire = wire
        self._crew = Crew(classes, concurrency, cell)
        self._open = 0

    def __enter__(self) -> SmallCell:
        self._crew.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._crew.stop()

    def begin(self, task_class: str, tasks: int, args: tuple[Any, ...] = (1,)) -> None:
        """Put so many tasks into the Local Queue."""
        self._mailbox.put_runs(self._runs(task_class, tasks, args))
        self._open += tasks

    def _runs(self, task_class: str, tasks: int, args: tuple[Any, ...]) -> list[Run]:
        made = (Task(task_class=task_class, args=args) for _ in range(tasks))
        return [Run(task, Tree(self._delivery(task), task)) for task in made]

    def _delivery(self, task: Task) -> Delivery:
        message = self._wire.task(task)
        headers = {"destination": message.destination, "ack": "1", "signature": message.signature}
        return Delivery(_Nowhere(), headers, message.body)  # type: ignore[arg-type]

    def wait_until_begun(self, tasks: int) -> None:
        """Return when so many are being performed at once."""
        deadline = time.monotonic() + DEADLINE
        while sum(len(worker.current_runs) for worker in self._crew.workers) < tasks:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{tasks} tasks have not begun in {DEADLINE:.0f} s")
            time.sleep(0.01)

    def wait_until_done(self) -> None:
        """Return when all tasks have ended."""
        self._take_until(0)

    def perform(
        self, task_class: str, tasks: int, *, args: tuple[Any, ...] = (1,), burst: int = BURST, ahead: int = AHEAD
    ) -> float:
        """Put so many tasks into the Local Queue as there is room, and return the seconds until the last has ended.

        The tasks are made beforehand: what is measured is the cell.
        """
        runs = self._runs(task_class, tasks, args)
        started = time.perf_counter()
        for start in range(0, tasks, burst):
            self._take_until(ahead - burst)
            part = runs[start : start + burst]
            self._mailbox.put_runs(part)
            self._open += len(part)
        self._take_until(0)
        return time.perf_counter() - started

    def _take_until(self, left: int) -> None:
        """Take what has finished until so few are open."""
        deadline = time.monotonic() + DEADLINE
        while self._open > max(0, left):
            self._mailbox.get()
            self._open -= len(self._mailbox.end_runs(run for run, _ in self._mailbox.drain_finished()))
            self._crew.look_after(time.monotonic())
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self._open} tasks are left after {DEADLINE:.0f} s")
