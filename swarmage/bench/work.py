"""What is left of an ideal swarm when tasks take time: tasks that wait, and tasks that compute."""

from __future__ import annotations

from collections.abc import Iterator

from swarmage.bench.place import Place
from swarmage.bench.samples import Sample
from swarmage.bench.workers import BUSY_SECONDS, CORES, SLEEP_SECONDS, THREADS

IDEAL = "the ideal"
PROCESSES = "swarmage.bench.workers:Processes"


def ask(place: Place, tasks: int) -> Iterator[Sample]:
    """Have so many tasks of each kind performed: the first by the drone that runs, the second by one started for them.

    The ideal hands over in no time.
    """
    asleep = f"{SLEEP_SECONDS * 1e3:g} ms asleep, {THREADS} threads"
    yield _perform(place, "bench.sleep", tasks, asleep, THREADS / SLEEP_SECONDS)
    process = place.swarm.start_drone((PROCESSES,))
    try:
        place.swarm.wait_for_drones(place.client, 2)
        computing = f"{BUSY_SECONDS * 1e3:g} ms of CPU, {CORES} processes"
        yield _perform(place, "bench.busy", tasks, computing, CORES / BUSY_SECONDS)
    finally:
        place.swarm.stop(process)


def _perform(place: Place, task_class: str, tasks: int, load: str, limit: float) -> Sample:
    place.perform(task_class, THREADS * CORES)  # so that everybody is there
    rate = tasks / place.perform(task_class, tasks)
    return Sample(question="perform", load=load, unit="tasks/s", value=rate, limit=limit, by=IDEAL)
