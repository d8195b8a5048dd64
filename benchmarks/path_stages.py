"""The stages of a task's way, each as one function from what the stage before has made: for benchmarks.path."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

from swarmage.bench.workers import Threads
from swarmage.broker.hub import Hub
from swarmage.broker.storage.store import MemoryStore
from swarmage.bus.bus import Bus
from swarmage.bus.frames import Frame, FrameReader
from swarmage.bus.reading import Reading
from swarmage.bus.subscription import Subscription
from swarmage.bus.subscriptions import Subscriptions
from swarmage.client.client import _task_of
from swarmage.clock import SYSTEM_CLOCK
from swarmage.drone.cell import Cell, starting
from swarmage.drone.finalize import Finalizer
from swarmage.drone.intake import Intake
from swarmage.drone.local_queue import Mailbox
from swarmage.settings import Address
from swarmage.task import Task
from swarmage.wire.envelope import Wire
from swarmage.wire.message import Message
from swarmage.wire.names import task_destination

TASK_CLASS = "bench.noop"
READ = 64 * 1024
"""Bytes that one read of a socket brings."""


class _Wire:
    """Stands where a connection or a socket would, and keeps what is written."""

    lost = False

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, *data: bytes) -> None:
        """Keep it."""
        self.written.append(b"".join(data))

    def take(self) -> bytes:
        """Return what was written since the last time."""
        data, self.written = b"".join(self.written), []
        return data


class Path:
    """One client, one bus, one drone and one worker, moved on by hand.

    Attributes:
        stages: name and function of each, in the order of a task's way.
    """

    def __init__(self) -> None:
        self.stages: list[tuple[str, Callable[[Any], Any]]] = [
            ("client: make the task", self.make),
            ("client: write and sign it", self.write),
            ("client: write the SEND", self.send),
            ("bus: take the SEND, deliver a MESSAGE", self.bus),
            ("drone: read the frame", self.read),
            ("drone: check, decode, put into a lane", self.take),
            ("drone: take from the lane, perform, hand in", self.perform),
            ("drone: finalize, write the ACK", self.finish),
            ("bus: take the ACK", self.settle),
        ]
        self._wire = Wire(bytes(32), SYSTEM_CLOCK)
        self._link = Bus(Address())
        self._begin_drone()
        self._begin_bus()

    def _begin_drone(self) -> None:
        self._connection: Any = _Wire()
        self._mailbox = Mailbox()
        cell = Cell(mailbox=self._mailbox, wire=self._wire, bus=self._link, clock=SYSTEM_CLOCK)
        token = starting.set(cell)
        try:
            self._worker = Threads()
        finally:
            starting.reset(token)
        self._finalizer = Finalizer(cell, Threads.abilities, random.Random(0))
        intake = Intake(self._mailbox, self._wire, SYSTEM_CLOCK, crashes=3)
        subscriptions = Subscriptions(self._link)
        destination = task_destination(TASK_CLASS)
        subscriptions.add(Subscription(id="s1", destination=destination, receive=intake.receive, prefetch=1), None)
        self._reading = Reading(self._link, subscriptions)
        self._frames = FrameReader()

    def _begin_bus(self) -> None:
        self._hub = Hub(store=MemoryStore())
        self._hub.load()
        self._clients, self._drones = _Socket(), _Socket()
        self._sender = self._hub.connect(self._clients, "client")
        self._receiver = self._hub.connect(self._drones, "drone")
        login = b"CONNECT\naccept-version:1.2\nhost:/\nheart-beat:0,0\n\n\0"
        self._sender.receive(login)
        self._receiver.receive(login)
        self._receiver.receive(
            f"SUBSCRIBE\nid:s1\ndestination:{task_destination(TASK_CLASS)}\nack:client-individual\n"
            "prefetch-count:100000\n\n\0".encode()
        )
        self._turn()
        self._drones.take()

    def _turn(self) -> None:
        while self._hub.turn():
            pass

    # the stages

    def make(self, numbers: Iterable[int]) -> list[Task]:
        """Make tasks of their arguments."""
        return [_task_of(TASK_CLASS, f"{number:08}") for number in numbers]

    def write(self, tasks: list[Task]) -> list[Message]:
        """Encode and sign them."""
        return [self._wire.task(task) for task in tasks]

    def send(self, messages: list[Message]) -> bytes:
        """Write their frames."""
        return b"".join([self._link.send_frame(message) for message in messages])

    def bus(self, sent: bytes) -> bytes:
        """Take them in, store them in memory, and deliver them."""
        for start in range(0, len(sent), READ):
            self._sender.receive(sent[start : start + READ])
            self._turn()
        return self._drones.take()

    def read(self, data: bytes) -> list[list[Frame]]:
        """Cut what the socket brings into frames."""
        return [self._frames.feed(data[start : start + READ]) for start in range(0, len(data), READ)]

    def take(self, reads: list[list[Frame]]) -> Any:
        """Put them into the Local Queue."""
        for frames in reads:
            self._reading.take(self._connection, frames)

    def perform(self, _: Any) -> Any:
        """Perform everything, as a worker's thread does."""
        get, handle = self._worker.actor_inbox.get, self._worker._handle_receive
        while self._mailbox.lanes[TASK_CLASS].bus:
            handle(get().message)

    def finish(self, _: Any) -> bytes:
        """Finalize what was performed."""
        self._finalizer.finalize(self._mailbox.drain_finished())
        return bytes(self._connection.take())

    def settle(self, acks: bytes) -> None:
        """Take the acks in."""
        for start in range(0, len(acks), READ):
            self._receiver.receive(acks[start : start + READ])
            self._turn()


class _Socket(_Wire):
    """A connection as the bus sees it."""

    def write(self, *data: bytes) -> None:
        """Keep it."""
        self.written += data

    def finish(self) -> None:
        """End it."""

    def abort(self) -> None:
        """End it."""
