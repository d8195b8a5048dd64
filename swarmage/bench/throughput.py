"""How many tasks a second, durable and signed: inserted, drained, both at once, beside bare sockets on the same bus.

Every insert is on disk before it counts as inserted, every task is acknowledged before it counts as drained.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from swarmage.bench.place import Place
from swarmage.bench.raw_socket import RawSocket, task_frame
from swarmage.bench.samples import Sample, in_bytes
from swarmage.errors import SwarmageError
from swarmage.wire.names import task_destination

NOOP = "bench.noop"
RAW_SOCKETS = "raw sockets"
ONE_BY_ONE = 200
_STEP = 100
_LARGE = 1024


def count_of(tasks: int, size: int) -> int:
    """Return how many tasks of a size are asked for: fewer where they are large; a multiple of 100."""
    return max(_STEP, round(tasks * min(1.0, _LARGE / size) / _STEP) * _STEP)


def raw_rates(place: Place, queue: str, size: int, tasks: int) -> dict[str, float]:
    """Return the frames a second of bare sockets: sent, taken, and both at once."""
    frame, address = task_frame(queue, "x" * size), place.swarm.address
    deadline = place.seconds_left
    with RawSocket(address, deadline=deadline) as sender, RawSocket(address, deadline=deadline) as receiver:
        inserted = sender.send_all(frame, tasks)
        drained = receiver.receive_all(queue, tasks)
    with (
        RawSocket(address, deadline=deadline) as sender,
        RawSocket(address, deadline=deadline) as receiver,
        ThreadPoolExecutor(1) as thread,
    ):
        started = time.perf_counter()
        sending = thread.submit(sender.send_all, frame, tasks)
        receiver.receive_all(queue, tasks)
        sending.result()
        both = time.perf_counter() - started
    return {"insert": tasks / inserted, "drain": tasks / drained, "both": tasks / both}


def rates(place: Place, queue: str, size: int, tasks: int, drones: int) -> Iterator[Sample]:
    """Ask the three questions of the swarm, with a limit each; no drone runs before, none afterwards."""
    limits = raw_rates(place, queue, size, tasks)
    load = f"{in_bytes(size)}, {drones} drone{'s' * (drones > 1)}"
    bodies = ["x" * size] * tasks

    def sample(question: str, seconds: float) -> Sample:
        return Sample(
            question=question,
            load=load,
            unit="tasks/s",
            value=tasks / seconds,
            limit=limits[question],
            by=RAW_SOCKETS,
        )

    started = time.perf_counter()
    place.client.insert_many(NOOP, bodies, reply=False)
    yield sample("insert", time.perf_counter() - started)
    process = place.swarm.start_drone(processes=drones)
    try:
        yield sample("drain", drain(place, tasks, drones))
        place.swarm.wait_for_drones(place.client, drones)
        started = time.perf_counter()
        place.client.insert_many(NOOP, bodies, reply=False)
        place.wait_until_left(NOOP, lambda left: left == 0)
        yield sample("both", time.perf_counter() - started)
    finally:
        place.swarm.stop(process)


def drain(place: Place, tasks: int, drones: int) -> float:
    """Return the seconds for all tasks, as measured from when the drones are there: their start is not what is asked.

    Raises:
        SwarmageError: they had performed all before anybody could look.
    """
    while True:
        queue = place.queue(task_destination(NOOP))
        left = int(queue["waiting"] + queue["in_flight"])
        if left == 0:
            raise SwarmageError(f"{tasks} tasks are drained before one can look; ask for more with --tasks")
        if left < tasks and queue["consumers"] >= drones:
            break
        time.sleep(0.002)
    begun = time.perf_counter()
    place.wait_until_left(NOOP, lambda left: left == 0)
    return (time.perf_counter() - begun) * tasks / left


def one_by_one(place: Place, queue: str) -> Sample:
    """Insert tasks with a call each, which returns when the task is on disk; the limit waits for receipts as well."""
    with RawSocket(place.swarm.address, deadline=place.seconds_left) as raw:
        possible = ONE_BY_ONE / raw.send_confirmed(task_frame(queue, "x" * 100), ONE_BY_ONE, 1)
        raw.receive_all(queue, ONE_BY_ONE)
    started = time.perf_counter()
    for _ in range(ONE_BY_ONE):
        place.client.insert_many(NOOP, ["x" * 100], reply=False)
    seconds = time.perf_counter() - started
    place.take_all(task_destination(NOOP))
    return Sample(
        question="insert, each confirmed before the next",
        load="100 B",
        unit="tasks/s",
        value=ONE_BY_ONE / seconds,
        limit=possible,
        by=RAW_SOCKETS,
    )
