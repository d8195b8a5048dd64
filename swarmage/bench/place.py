"""Where the questions of a load test are asked: a bus, drones, a client, and until when."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

from swarmage.bench.raw_socket import RawSocket
from swarmage.bench.swarm import Guest
from swarmage.client.client import Client
from swarmage.client.status import bus_figures
from swarmage.errors import DeadlineExceeded
from swarmage.wire.names import DEAD, task_destination

_LOOK_SECONDS = 0.01
_ANSWER_SECONDS = 30.0


class Place:
    """A swarm to ask questions of, with one client.

    Attributes:
        swarm: the bus and the drones.
        client: inserts the tasks.
        deadline: when all of it has to be over, by the monotonic clock.
        raw_queue: where bare sockets send to, a destination of nobody else.
    """

    def __init__(self, swarm: Guest, client: Client, deadline: float) -> None:
        self.swarm = swarm
        self.client = client
        self.deadline = deadline
        self.raw_queue = f"/queue/bench.raw.{secrets.token_hex(4)}"

    @property
    def seconds_left(self) -> float:
        """How long the load test may still take."""
        return self.deadline - time.monotonic()

    def queue(self, name: str) -> dict[str, Any]:
        """Return the bus's figures of a destination; all are 0 where it knows none of that name.

        Raises:
            DeadlineExceeded: the load test has taken too long.
            SwarmageError: a process of the swarm has ended in failure.
        """
        self.swarm.check()
        if self.seconds_left <= 0:
            raise DeadlineExceeded("the load test is not done in time; ask for less, or give it a longer --timeout")
        figures = bus_figures(self.client.bus, min(_ANSWER_SECONDS, self.seconds_left), self.client.clock)
        known: dict[str, dict[str, Any]] = {queue["name"]: queue for queue in figures["queues"]}
        return known.get(name, {"waiting": 0, "in_flight": 0, "delayed": 0, "consumers": 0})

    def left(self, task_class: str) -> int:
        """Return how many tasks of a class are on the bus."""
        queue = self.queue(task_destination(task_class))
        return int(queue["waiting"] + queue["in_flight"] + queue["delayed"])

    def wait_until_left(self, task_class: str, reached: Callable[[int], bool]) -> int:
        """Ask the bus every 10 ms how many tasks are left, until the answer is as wanted; return it."""
        while not reached(left := self.left(task_class)):
            time.sleep(_LOOK_SECONDS)
        return left

    def perform(self, task_class: str, tasks: int) -> float:
        """Insert so many tasks that take a number; return the seconds until the last is acknowledged."""
        started = time.perf_counter()
        self.client.insert_many(task_class, range(tasks), reply=False)
        self.wait_until_left(task_class, lambda left: left == 0)
        return time.perf_counter() - started

    def take_all(self, destination: str) -> int:
        """Take all messages of a destination and drop them; return how many there were."""
        found = self.queue(destination)
        there = int(found["waiting"] + found["in_flight"])
        if there:
            with RawSocket(self.swarm.address, deadline=self.seconds_left) as raw:
                raw.receive_all(destination, there)
        return there

    def dead(self) -> int:
        """Return how many dead letters there are."""
        return int(self.queue(DEAD)["waiting"])
