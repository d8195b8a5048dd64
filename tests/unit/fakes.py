"""What stands in for the clock and for the bus where no socket is needed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from swarmage.abilities import Ability
from swarmage.bus.bus import Bus
from swarmage.bus.delivery import Delivery
from swarmage.bus.frames import Frame, FrameReader
from swarmage.bus.receipt import Receipts
from swarmage.drone.cell import Cell
from swarmage.drone.finalize import Finalizer
from swarmage.drone.local_queue import Mailbox
from swarmage.drone.run import Run, Tree
from swarmage.errors import BusRefused, ConnectionLost
from swarmage.settings import Address
from swarmage.task import Task
from swarmage.wire.envelope import Wire
from swarmage.wire.message import Message

KEY = bytes(range(32))
OTHER_KEY = bytes(32)
SECONDS = 5.0
"""How long a test waits for what should come at once."""


class FakeClock:
    """Stands still until told to move."""

    def __init__(self, wall: float = 1_700_000_000.0) -> None:
        self._wall = wall
        self.now = 1000.0

    def wall(self) -> float:
        return self._wall + self.now - 1000.0

    def monotonic(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class FakeConnection:
    """Keeps what is written to it."""

    server = "swarmage/fake"

    def __init__(self) -> None:
        self.lost = False
        self.refused: BusRefused | None = None
        self.receipts = Receipts()
        self.writes: list[bytes] = []

    def write(self, *frames: bytes) -> None:
        if self.lost:
            raise ConnectionLost("the connection to the bus has ended")
        self.writes.append(b"".join(frames))

    def close(self) -> None:
        self.lost = True

    def frames(self) -> list[Frame]:
        """Take all frames that were written."""
        data, self.writes = b"".join(self.writes), []
        return FrameReader().feed(data)

    def commands(self) -> list[str]:
        return [frame.command for frame in self.frames()]


class FakeBus(Bus):
    """A bus with one connection that keeps what is written."""

    def __init__(self, clock: Any) -> None:
        super().__init__(Address(), clock=clock)
        self.fake = FakeConnection()
        self._connection = self.fake  # type: ignore[assignment]


class FakeCell:
    """A cell without workers: what it finalizes can be read from `connection`."""

    def __init__(self, *abilities: Ability[..., Any]) -> None:
        self.clock = FakeClock()
        self.wire = Wire(KEY, self.clock)
        self.bus = FakeBus(self.clock)
        self.connection = self.bus.fake
        self.mailbox = Mailbox(self.clock)
        self.cell = Cell(mailbox=self.mailbox, wire=self.wire, bus=self.bus, clock=self.clock)
        self.finalizer = Finalizer(self.cell, {one.task_class: one for one in abilities}, random.Random(1))

    def delivery(self, message: Message, ack: str = "1", **headers: str) -> Delivery:
        given = {"destination": message.destination, "signature": message.signature, "ack": ack, "message-id": ack}
        return Delivery(self.connection, given | headers, message.body)  # type: ignore[arg-type]

    def run(self, task: Task, ack: str = "1") -> Run:
        """Return a task from the bus that a worker has begun."""
        self.mailbox.open_trees += 1
        return Run(task, Tree(self.delivery(self.wire.task(task), ack), task))


def local_run(parent: Run, task: Task) -> Run:
    """Return a local task that a worker has begun."""
    parent.tree.open += 1
    return Run(task, parent.tree, "1", local=_Handle())  # type: ignore[arg-type]


class _Handle:
    outcome = None
    wake = None


def wait_until(condition: Callable[[], bool], changed: Any, seconds: float = SECONDS) -> None:
    """Wait on a `threading.Condition` for something to become true."""
    with changed:
        assert changed.wait_for(condition, seconds)
