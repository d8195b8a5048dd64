"""How much memory the bus and a drone hold: idle, and the most of it while tasks come and go."""

from __future__ import annotations

from collections.abc import Iterator

from swarmage.bench.place import Place
from swarmage.bench.process_cost import memory_of
from swarmage.bench.samples import Sample
from swarmage.bench.throughput import NOOP

MIB = 1 << 20


def idle(place: Place) -> Iterator[Sample]:
    """Look at the one drone that runs, and at the bus where it was started here."""
    for name, pid in _processes(place).items():
        value = memory_of(pid)[0] / MIB
        yield Sample(question=f"memory of {name}", load="idle", unit="MiB", value=value)


def loaded(place: Place, tasks: int) -> Iterator[Sample]:
    """Have so many tasks performed, and say how much was held at most."""
    place.client.insert_many(NOOP, ("x" * 100 for _ in range(tasks)), reply=False)
    place.wait_until_left(NOOP, lambda left: left == 0)
    for name, pid in _processes(place).items():
        value = memory_of(pid)[1] / MIB
        yield Sample(question=f"memory of {name}", load=f"at most, {tasks:,} tasks", unit="MiB", value=value)


def _processes(place: Place) -> dict[str, int]:
    drone = {"a drone": int(place.swarm.drones(place.client)[0]["pid"])}
    return drone if place.swarm.bus is None else {"the bus": place.swarm.bus.pid, **drone}
