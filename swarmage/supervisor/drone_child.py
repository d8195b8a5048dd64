"""A child that is a drone."""

from __future__ import annotations

import logging
import os
import sys
from queue import Empty, SimpleQueue
from typing import cast

from swarmage.abilities import abilities_of
from swarmage.clock import SYSTEM_CLOCK, Clock
from swarmage.drone.drone import Drone
from swarmage.drone.keyed.checks import check_number
from swarmage.drone.local_queue import Mailbox
from swarmage.drone.supervision.declared import Supervising, workers_of
from swarmage.drone.worker import Worker
from swarmage.errors import BusError, SwarmageError
from swarmage.supervisor.parent_link import ParentLink
from swarmage.supervisor.protocol import (
    BEAT_SECONDS,
    GRACE_SECONDS,
    OVERRAN_CODE,
    Alone,
    Drained,
    DroneSpec,
    Overran,
    Ready,
)
from swarmage.supervisor.targets import load_workers, own_files

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How long a drone that died by itself may stay unnoticed."""


class Pulse:
    """Tells the parent that the drone lives, while the drone's own thread has its ticks."""

    def __init__(self, mailbox: Mailbox, parent: ParentLink, clock: Clock = SYSTEM_CLOCK) -> None:
        self._mailbox = mailbox
        self._parent = parent
        self._clock = clock
        self._next = 0.0

    def look(self) -> None:
        """Beat if it is time for that, and the drone's thread does not hang."""
        now = self._clock.monotonic()
        if now >= self._next and now - self._mailbox.ticked_at < BEAT_SECONDS:
            self._next = now + BEAT_SECONDS
            self._parent.beat()


def run(spec: DroneSpec, parent: ParentLink) -> None:
    """Start the drone; return when it has drained.

    Raises:
        SwarmageError: it cannot boot, or died.
    """
    if spec.holds is not None:
        os.set_inheritable(spec.holds, False)
    stops: SimpleQueue[bool] = SimpleQueue()  # its put is safe in a signal handler, unlike an Event's set
    parent.on_stop(lambda: stops.put(False))
    if spec.reload:
        sys.dont_write_bytecode = True  # or an edit within the second, of the same length, would not be noticed
    found = load_workers(spec.targets, Worker, Supervising)
    check_number(workers_of(found), spec.buses)
    failures: list[str] = []
    drone = Drone.start(
        workers=found,
        url=os.environ["SWARMAGE_URL"],
        concurrency=spec.concurrency,
        grace=GRACE_SECONDS,
        on_drain=lambda: stops.put(True),
        alone=lambda task: parent.report(Alone(task)),
        overrun=lambda task: _leave_it(task, parent),
        failed=failures.append,
    )
    task_classes = {task_class for worker in workers_of(found) for task_class in abilities_of(worker)}
    files = own_files() if spec.reload else ()
    parent.report(Ready(task_classes=tuple(sorted(task_classes)), files=tuple(files)))
    pulse = Pulse(cast("Mailbox", drone.actor_inbox), parent)
    while drone.is_alive():
        try:
            for_good = stops.get(timeout=LOOK_SECONDS)
        except Empty:
            pulse.look()
            continue
        if for_good:
            parent.report(Drained())
        log.info("draining")
        drone.stop(block=True)
        return
    raise SwarmageError(failures[0]) if failures else BusError("the drone ended by itself")


def _leave_it(task: str, parent: ParentLink) -> None:
    """Leave at once: the thread of that task would hold up every gentler end."""
    parent.report(Overran(task))
    logging.shutdown()
    os._exit(OVERRAN_CODE)
