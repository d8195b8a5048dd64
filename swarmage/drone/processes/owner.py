"""A worker that owns a process: starting it, replacing it, letting it go.

From: local_queue.  To: child.
"""

from __future__ import annotations

import logging
import threading
from typing import Any, ClassVar

from swarmage.drone.processes.child_link import ChildGone, ChildLink
from swarmage.drone.processes.keeping import NotStarted, start_child
from swarmage.drone.processes.nursery import Nursery
from swarmage.drone.run import Run
from swarmage.drone.worker import Worker
from swarmage.wire.pipe import Stop

logger = logging.getLogger("swarmage.drone")

STOP_SECONDS = 5.0
"""How long `on_stop` may take in a process."""


class Owner(Worker):
    """Keeps one process alive. Owned by its own thread but for `_cancel` and `_let_go`.

    Attributes:
        nursery: where its processes come from.
        performs: the class whose tasks they perform.
    """

    nursery: ClassVar[Nursery]
    performs: ClassVar[type[Worker]]

    def __init__(self) -> None:
        super().__init__()
        self._child: ChildLink | None = None
        self._guard = threading.Lock()  # of the next two
        self._stack: list[Run] = []  # what the process performs, each but the last waiting for a local task
        self._cancelled: Run | None = None  # for which the process was killed, until there is another
        self._not_started: NotStarted | None = None  # why there is no process, once there is to be none

    # from other threads

    def _cancel(self, task_id: str) -> bool:
        """Kill the process if it performs this task or a local one that came of it; say whether it does."""
        with self._guard:
            run = next((run for run in self._stack if run.tree.task.id == task_id), None)
            child = self._child
            if run is None or child is None:
                return False
            self._cancelled = run
            child.kill()
            return True

    def stack_of(self, run: Run) -> str:
        """See `Performing.stack_of`: the process says it, unless it is not there or deaf to signals."""
        child = self._child
        return "" if child is None or self._run is not run else child.stack()

    def _let_go(self, *, at_once: bool = False) -> None:
        """Stop when what is being performed is done, or at once: then its process is killed."""
        super()._let_go(at_once=at_once)
        with self._guard:
            child = self._child
            if at_once and self._stack and child is not None:
                child.kill()

    def wait_until_gone(self) -> None:
        """Return when its process has ended."""
        self._life.over.wait(STOP_SECONDS + 1.0)

    # as an actor

    def on_start(self) -> None:
        """Start the process; return when its Worker has been through its own `on_start`."""
        self.nursery.enter()
        try:
            self._child = start_child(self.nursery)
        except BaseException:  # raised again: a keeper that has not started must not keep the forkserver alive
            self.nursery.leave()
            raise

    def on_stop(self) -> None:
        """Let the process go, when its Worker has been through its own `on_stop`."""
        self._dismiss()
        self.nursery.leave()

    def on_failure(self, *_: Any) -> None:
        """End the process at once: a message was more than its keeper could bear, and another takes its place."""
        child, self._child = self._child, None
        if child is not None:
            child.end()
        self.nursery.leave()

    def _handle_receive(self, message: Any) -> Any:
        result = super()._handle_receive(message)
        if type(message) is Run:
            self._recycle()
            if self._not_started is not None:
                raise self._not_started
            if self._child is None:
                self._replace()
        return result

    def _dismiss(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        try:
            child.send(Stop())
        except ChildGone:
            pass
        else:
            if not child.wait(STOP_SECONDS):
                logger.warning("%s: its on_stop has taken %.0f s, so its process is killed", self, STOP_SECONDS)
        child.end()

    def _recycle(self) -> None:
        child, performs = self._child, self.performs
        if child is None:
            return
        old = performs.recycle_tasks is not None and child.tasks >= performs.recycle_tasks
        if performs.recycle_growth is not None and not old:
            old = child.resident() - child.first_bytes > performs.recycle_growth
        if old:
            self._dismiss()

    def _replace(self) -> None:
        """Start a process.

        Raises:
            NotStarted: there is none, and so the keeper dies: its supervisor knows when to try again.
        """
        try:
            self._child = start_child(self.nursery)
        except NotStarted as error:
            if not isinstance(error.__cause__, ChildGone):
                raise
            self._child = start_child(self.nursery)  # it was the forkserver that had gone: now there is a fresh one
        self._cancelled = None

    def _living_child(self) -> ChildLink | None:
        """Return the process, a new one if it has died; None when there is to be none."""
        if self._child is None or self._child.dead:
            if self._child is not None:
                end, self._child = self._child.end(), None
                if self._cancelled is None:  # else it was killed for a task that ended just then
                    logger.error("worker %s: %s while it had nothing to do", self.performs.__qualname__, end)
            try:
                self._replace()
            except NotStarted as error:
                self._not_started = error
        return self._child
