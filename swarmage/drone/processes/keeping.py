"""The parts of a keeper: the limit it keeps, what it loses, and how it starts a process."""

from __future__ import annotations

import time
from typing import NamedTuple

import msgspec

from swarmage.clock import Clock
from swarmage.drone.limit import TimeLimit
from swarmage.drone.processes.child_link import ChildGone, ChildLink
from swarmage.drone.processes.nursery import Nursery
from swarmage.drone.run import Run
from swarmage.errors import ConfigError
from swarmage.outcome import Outcome
from swarmage.task import Task
from swarmage.wire import codec
from swarmage.wire.pipe import Started

START_SECONDS = 50.0
"""How long a process and the `on_start` in it may take: less than a drone waits for a worker."""


class NotStarted(ConfigError):
    """The process of a worker could not be started; says it as of a worker in a thread."""


class Limit(TimeLimit):
    """The time limit of a task in a process: its keeper looks at it, and nothing strikes in the keeper's own thread."""

    def __init__(self) -> None:
        super().__init__()
        self.deadline: float | None = None

    def begin(self, seconds: float | None, clock: Clock, run: object = None) -> float | None:
        """Start the limit of a task; return what `resume` takes for the task that waits for this one."""
        outer = self.suspend()
        self.run = run
        self.deadline = None if seconds is None else clock.monotonic() + seconds
        return outer

    def suspend(self) -> float | None:
        """Set no limit for a while; return what was left."""
        left, self.deadline = self.deadline, None
        return left

    def resume(self, deadline: float | None) -> None:
        """Set the limit again."""
        self.deadline = deadline

    def enforce(self, now: float) -> bool:
        """Do nothing."""
        return False


class Loss(NamedTuple):
    """Why a process is gone.

    Attributes:
        run: what it was performing that is to blame, or None.
        outcome: of that run.
    """

    run: Run | None
    outcome: Outcome


def start_child(nursery: Nursery) -> ChildLink:
    """Return a process in which the Worker has started.

    Raises:
        NotStarted: it has not; the message says why.
    """
    deadline = time.monotonic() + START_SECONDS
    try:
        child = nursery.start_child(START_SECONDS)
    except ChildGone as error:
        raise NotStarted(f"cannot be made: {error}") from error
    try:
        child.send(nursery.load())
        said = child.receive(max(0.0, deadline - time.monotonic()))
    except ChildGone:
        raise NotStarted(f"cannot start: {child.end()}") from None
    if type(said) is not Started:
        child.end()
        raise NotStarted(f"has not started in {START_SECONDS:.0f} s")
    if said.failure is not None:
        child.end()
        verb = "start" if said.made else "be made"
        raise NotStarted(f"cannot {verb}: {said.failure.kind}: {said.failure.message}")
    return child


def carried(task: Task) -> Task:
    """Return a local task with its arguments pickled.

    Raises:
        NotEncodable: they cannot be.
    """
    if task.pickled is not None:
        return task
    what = f"the arguments of local task {task.task_class}"
    pickled = codec.pickle((tuple(task.args), dict(task.kwargs)), what)
    return msgspec.structs.replace(task, args=(), kwargs={}, pickled=pickled)
