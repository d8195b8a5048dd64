"""A child that is a drone."""

from __future__ import annotations

import logging
import os
from queue import Empty, SimpleQueue

from swarmage.abilities import abilities_of
from swarmage.drone.drone import Drone
from swarmage.drone.worker import Worker
from swarmage.errors import BusError
from swarmage.supervisor.parent_link import ParentLink
from swarmage.supervisor.protocol import GRACE_SECONDS, OVERRAN_CODE, Alone, DroneSpec, Overran, Ready
from swarmage.supervisor.targets import load_workers

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How long a drone that died by itself may stay unnoticed."""


def run(spec: DroneSpec, parent: ParentLink) -> None:
    """Start the drone; return when it has drained.

    Raises:
        SwarmageError: it cannot boot, or died.
    """
    if spec.holds is not None:
        os.set_inheritable(spec.holds, False)
    stops: SimpleQueue[None] = SimpleQueue()  # its put is safe in a signal handler, unlike an Event's set
    parent.on_stop(lambda: stops.put(None))
    workers = load_workers(spec.targets, Worker)
    drone = Drone.start(
        workers=workers,
        url=os.environ["SWARMAGE_URL"],
        concurrency=spec.concurrency,
        grace=GRACE_SECONDS,
        alone=lambda task: parent.report(Alone(task)),
        overrun=lambda task: _leave_it(task, parent),
    )
    task_classes = {task_class for worker in workers for task_class in abilities_of(worker)}
    parent.report(Ready(task_classes=tuple(sorted(task_classes))))
    while drone.is_alive():
        try:
            stops.get(timeout=LOOK_SECONDS)
        except Empty:
            continue
        log.info("draining")
        drone.stop(block=True)
        return
    raise BusError("the drone ended by itself")


def _leave_it(task: str, parent: ParentLink) -> None:
    """Leave at once: the thread of that task would hold up every gentler end."""
    parent.report(Overran(task))
    logging.shutdown()
    os._exit(OVERRAN_CODE)
