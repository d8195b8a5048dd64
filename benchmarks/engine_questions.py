"""What is asked of one bus by benchmarks.engines: of swarmage, and of raw sockets."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from benchmarks.engine_workers import MARKS
from swarmage import Client
from swarmage.bench.raw_latency import offer
from swarmage.bench.raw_socket import RawSocket
from swarmage.bench.swarm import Swarm
from swarmage.bus.dialects.dialect import Dialect
from swarmage.clock import SYSTEM_CLOCK
from swarmage.settings import Address
from swarmage.task import Task
from swarmage.wire.envelope import Wire

COUNT, LATE = "bench.count", "bench.late"
RAW_QUEUE = "/queue/bench.raw"
WINDOW = 1000
SILENCE = 0.5
"""Seconds after which a queue from which nothing comes is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One bus, and what is asked of it.

    Attributes:
        swarm: starts drones there.
        address: where it listens; of a cluster the first node, so that all go the same way.
        dialect: its words.
        client: inserts.
        heard: the socket on which the worker tells.
        tasks: how many answer a question.
        rate: how many tasks a second are offered for the latency.
        workers: threads of the drone, which on the buses of others takes as many tasks at once.
        raw_ahead: messages that the raw sockets take at once.
    """

    swarm: Swarm
    address: Address
    dialect: Dialect
    client: Client
    heard: socket.socket
    tasks: int
    rate: int
    workers: int
    raw_ahead: int

    @property
    def frame(self) -> bytes:
        """A SEND as the drone's are, to the queue of the raw sockets."""
        message = Wire(b"0" * 32, SYSTEM_CLOCK).task(Task(task_class=COUNT, args=(123456,)))
        return self.send(message.body, message.signature)

    def send(self, body: bytes, signature: str = "") -> bytes:
        """Return a SEND of this body."""
        message = Wire(b"0" * 32, SYSTEM_CLOCK).task(Task(task_class=COUNT))
        message = message._replace(destination=RAW_QUEUE, body=body, signature=signature or message.signature)
        head = self.dialect.send(message, SYSTEM_CLOCK.wall())
        return f"SEND\n{head}content-length:{len(body)}\n\n".encode() + body + b"\0"

    @property
    def taking(self) -> str:
        """The headers with which the raw sockets subscribe."""
        return "".join(f"{name}:{value}\n" for name, value in self.dialect.subscribe(RAW_QUEUE, self.raw_ahead).items())

    @contextmanager
    def drone(self, *marks: int) -> Iterator[None]:
        """Have a drone that tells when these tasks of it are performed."""
        os.environ[MARKS] = json.dumps(marks)
        drone = self.swarm.start("drone", "benchmarks.engine_workers", "-p", "1", "-c", f"Reporter={self.workers}")
        try:
            yield
        finally:
            self.swarm.stop(drone)

    def hear(self) -> tuple[int, float]:
        """Return what the worker tells next.

        Raises:
            TimeoutError: it tells nothing.
        """
        number, value = json.loads(self.heard.recv(1000))
        return number, value


def empty(bench: Bench, queue: str) -> None:
    """Take what is left, as by a drone that was ended before its last acks."""
    with RawSocket(bench.address) as raw:
        raw.subscribe(queue, bench.taking)
        with suppress(TimeoutError):
            while True:
                raw.acknowledge(raw.read_frames(SILENCE))
        raw.leave()


def raw_insert(bench: Bench) -> float:
    with RawSocket(bench.address) as raw:
        if bench.dialect.confirms_in_order:
            return raw.send_all(bench.frame, bench.tasks)
        return raw.send_confirmed(bench.frame, bench.tasks, WINDOW)


def raw_drain(bench: Bench) -> float:
    with RawSocket(bench.address) as raw:
        return raw.receive_all(RAW_QUEUE, bench.tasks, bench.taking)


def raw_both(bench: Bench) -> float:
    with ThreadPoolExecutor(1) as thread, RawSocket(bench.address) as receiver:
        started = time.perf_counter()
        inserting = thread.submit(raw_insert, bench)
        receiver.receive_all(RAW_QUEUE, bench.tasks, bench.taking)
        inserting.result()
        return time.perf_counter() - started


def insert(bench: Bench) -> float:
    started = time.perf_counter()
    bench.client.insert_many(COUNT, range(bench.tasks), reply=False)
    return time.perf_counter() - started


def drain(bench: Bench) -> float:
    with bench.drone(1, bench.tasks):
        _, began = bench.hear()
        _, ended = bench.hear()
    return (ended - began) * bench.tasks / (bench.tasks - 1)


def both(bench: Bench) -> float:
    with bench.drone(1, 1 + bench.tasks):
        bench.client.insert_many(COUNT, [0], reply=False)
        bench.hear()  # so it is there
        started = time.monotonic()
        insert(bench)
        _, ended = bench.hear()
    return ended - started


RATES: dict[str, tuple[Callable[[Bench], float], Callable[[Bench], float]]] = {
    "insert": (raw_insert, insert),
    "drain": (raw_drain, drain),
    "both": (raw_both, both),
}
"""Each question of raw sockets and of swarmage; `drain` takes what `insert` left."""


def raw_latency(bench: Bench, seconds: float) -> list[float]:
    """Return the seconds from a message's place in the schedule until it is delivered."""
    bodies = [b"%010d" % number + b"x" * 100 for number in range(int(bench.rate * seconds))]
    frames = [
        bench.send(body).replace(b"SEND\n", b"SEND\nreceipt:%d\n" % number, 1) for number, body in enumerate(bodies)
    ]
    return offer(bench.address, frames, bench.rate, RAW_QUEUE, bench.taking)[1]


def latency(bench: Bench, seconds: float) -> list[float]:
    """Return the seconds from a task's place in the schedule until a worker begins it."""
    with bench.drone(1):
        bench.client.insert_many(COUNT, [0], reply=False)
        bench.hear()
        began = time.monotonic() + 0.1
        due = [began + number / bench.rate for number in range(int(bench.rate * seconds))]
        with ThreadPoolExecutor(1) as thread:
            times = thread.submit(lambda: dict(bench.hear() for _ in due))
            for number, when in enumerate(due):
                wait = when - time.monotonic()
                if wait > 0:
                    time.sleep(wait)
                bench.client.insert_many(LATE, [(number, when)], reply=False)
            found = times.result()
    return [found[number] for number in range(len(due))]
