"""All questions of a load test, in the order in which they are asked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from swarmage.bench import latency, memory, startup, throughput, work
from swarmage.bench.place import Place
from swarmage.bench.process_cost import memory_of
from swarmage.bench.samples import Sample, in_bytes
from swarmage.bench.swarm import Guest, Swarm, free_ports
from swarmage.client.client import Client
from swarmage.errors import BusUnreachable, ConfigError, DeadlineExceeded, SwarmageError
from swarmage.wire.names import task_destination

QUESTIONS = ("startup", "throughput", "latency", "work", "memory")
"""What is asked when nobody says what."""
BACKLOG = "backlog"
TASK_CLASSES = ("bench.noop", "bench.begin", "bench.sleep", "bench.busy")
_INSERT_SECONDS = 60.0
_CLEAR_SECONDS = 60.0
_EMPTY_LOOKS = 3
_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is asked, and how much of it.

    Attributes:
        questions: the names of what is asked.
        rounds: how often each of it.
        tasks: of a question about throughput or memory; fewer where they are large.
        sizes: of a task's argument, in bytes.
        drones: how many drone processes perform.
        rates: tasks a second that are offered, for the latency.
        seconds: how long they are offered.
        timed_tasks: how many that sleep, and how many that compute.
        backlogs: how many tasks wait before a drone starts.
    """

    questions: Sequence[str] = QUESTIONS
    rounds: int = 3
    tasks: int = 10_000
    sizes: Sequence[int] = (100,)
    drones: Sequence[int] = (1,)
    rates: Sequence[int] = (100, 1000)
    seconds: float = 1.0
    timed_tasks: int = 1000
    backlogs: Sequence[int] = ()

    @property
    def samples(self) -> int:
        """How many samples there will be, but for those of a bus's memory."""
        each = {
            "startup": 4,
            "throughput": 3 * len(self.sizes) * len(self.drones) + 1,
            "latency": 2 * len(latency.HUNDREDTHS) * len(self.rates),
            "work": 2,
            "memory": 4,
            BACKLOG: 2 * len(self.backlogs),
        }
        return self.rounds * sum(each[question] for question in self.questions)


def measure(plan: Plan, seconds: float, *, guest: bool = False, folder: Path | None = None) -> Iterator[Sample]:
    """Ask everything in each round, and leave nothing behind: no process, no file, no task.

    Args:
        plan: what to ask.
        seconds: how long all of it may take.
        guest: whether to ask the bus of SWARMAGE_URL, instead of one that is started for it.
        folder: where that one keeps its data for so long.

    Raises:
        ConfigError: the bus cannot be asked: it tells no figures, or somebody else uses these task classes there.
        DeadlineExceeded: it takes longer.
        SwarmageError: a process ended in failure, or tasks became dead letters.
    """
    deadline = time.monotonic() + seconds
    with _told_as_ours(), Guest() if guest else Swarm(free_ports(1)[0], folder) as swarm:
        swarm.start_bus()
        with Client(timeout=min(_INSERT_SECONDS, seconds)) as client:
            client.connect()
            place = Place(swarm, client, deadline)
            _check(place)
            dead = place.dead()
            try:
                for number in range(plan.rounds):
                    for sample in _round(place, plan):
                        yield replace(sample, round=number)
            finally:
                if guest:
                    _clear(place)
            if not guest and place.dead() > dead:
                raise SwarmageError("tasks became dead letters meanwhile, so the figures mean nothing")


def _round(place: Place, plan: Plan) -> Iterator[Sample]:
    if "startup" in plan.questions:
        yield from startup.imports()
    if "throughput" in plan.questions:
        for drones in plan.drones:
            for size in plan.sizes:
                yield from throughput.rates(place, place.raw_queue, size, throughput.count_of(plan.tasks, size), drones)
        yield throughput.one_by_one(place, place.raw_queue)
    if BACKLOG in plan.questions:
        for waiting in plan.backlogs:
            yield from _backlog(place, waiting)
    if set(plan.questions) & {"startup", "latency", "work", "memory"}:
        yield from _with_one_drone(place, plan)


def _with_one_drone(place: Place, plan: Plan) -> Iterator[Sample]:
    process, first = startup.first_result(place)
    try:
        if "startup" in plan.questions:
            yield first
        if "memory" in plan.questions:
            yield from memory.idle(place)
        if "latency" in plan.questions:
            for rate in plan.rates:
                yield from latency.ask(place, place.raw_queue, rate, plan.seconds)
        if "work" in plan.questions:
            yield from work.ask(place, plan.timed_tasks)
        if "memory" in plan.questions:
            yield from memory.loaded(place, plan.tasks)
    finally:
        place.swarm.stop(process)


def _backlog(place: Place, waiting: int) -> Iterator[Sample]:
    """Have so many tasks wait before a drone starts; say how fast they go, and what they cost the bus."""
    load = f"{waiting:,} waiting"
    place.client.insert_many(throughput.NOOP, ("x" * 100 for _ in range(waiting)), reply=False)
    if place.swarm.bus is not None:
        held = memory_of(place.swarm.bus.pid)[0] / memory.MIB
        yield Sample(question="memory of the bus", load=load, unit="MiB", value=held)
    process = place.swarm.start_drone()
    try:
        seconds = throughput.drain(place, waiting, 1)
        yield Sample(question="drain", load=f"{in_bytes(100)}, {load}", unit="tasks/s", value=waiting / seconds)
    finally:
        place.swarm.stop(process)


def _check(place: Place) -> None:
    """Raise where the figures would be those of somebody else's tasks, too."""
    if not place.client.bus.dialect.figures:
        raise ConfigError(
            f"{place.client.bus.dialect.name} tells no figures of its queues, by which the tasks are counted;"
            " `python -m benchmarks.compare` measures swarmage there, too"
        )
    if place.left(throughput.NOOP) or place.queue(task_destination(throughput.NOOP))["consumers"]:
        raise ConfigError(
            f"there are tasks or drones of {throughput.NOOP} on this bus already; wait until the other load test is"
            " over, or perform what one has left with `swarmage drone swarmage.bench.workers`"
        )


def _clear(place: Place) -> None:
    """Take away what an interrupted load test has left on somebody's bus, also what is still on its way there."""
    place.deadline = max(place.deadline, time.monotonic() + _CLEAR_SECONDS)
    place.client.insert_many(throughput.NOOP, ["x"], reply=False)  # when it is there, so is what was sent before it
    empty = 0
    while empty < _EMPTY_LOOKS:
        taken = sum(map(place.take_all, [place.raw_queue, *map(task_destination, TASK_CLASSES)]))
        empty = 0 if taken else empty + 1
        time.sleep(_LOOK_SECONDS)


@contextmanager
def _told_as_ours() -> Iterator[None]:
    """Translate what bare sockets and processes raise."""
    try:
        yield
    except TimeoutError as error:
        raise DeadlineExceeded(f"the load test is not done in time: {error}") from error
    except OSError as error:
        raise BusUnreachable(f"the connection of the load test to the bus ended: {error}") from error
