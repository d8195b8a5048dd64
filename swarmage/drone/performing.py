"""What an ability may call while it performs a task.

From: worker.  To: local_queue, and finalize by what it leaves to be sent.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Sequence
from typing import Any

import msgspec

from swarmage.abilities import Ability
from swarmage.bus.connection import Connection
from swarmage.drone.cell import Cell
from swarmage.drone.local_task import LocalTask
from swarmage.drone.messages import CANCELLED, Local, Run
from swarmage.drone.sending import add
from swarmage.errors import (
    AbilityError,
    ConnectionLost,
    SwarmageError,
    TaskCancelled,
)
from swarmage.outcome import Outcome
from swarmage.task import Task
from swarmage.wire.envelope import ReplyBody
from swarmage.wire.message import Message

PROGRESS_EVERY = 0.1
"""Seconds between two progress messages: what a person can see."""


class Performing:
    """The part of a Worker that its abilities use. Owned by the worker's thread."""

    def __init__(self, cell: Cell | None) -> None:
        self._cell = cell  # before pykka asks for the inbox, which is the cell's
        super().__init__()
        self._last_progress = 0.0

    @property
    def current_runs(self) -> Sequence[Run]:
        """What is being performed; other threads may look."""
        raise NotImplementedError

    @property
    def task(self) -> Task:
        """The task that is being performed.

        Raises:
            SwarmageError: none is.
        """
        return self._current()[0].task

    def local(self, ability: Ability[..., Any] | str, /, *args: Any, **kwargs: Any) -> LocalTask:
        """Pass a task to the workers of this cell, through the Local Queue.

        The task from the bus is acknowledged when all local tasks that came of it are done; if one fails, all have.

        Raises:
            AbilityError: no worker of this cell is able to perform it.
        """
        run, cell = self._current()
        task_class = ability if isinstance(ability, str) else ability.task_class
        if task_class not in cell.mailbox.lanes:
            raise AbilityError(f"no worker of this cell is able to perform {task_class!r}; use insert for other cells")
        run.steps += 1
        path = f"{run.path}.{run.steps}" if run.path else str(run.steps)
        task = Task(task_class=task_class, args=args, kwargs=kwargs, id=f"{run.tree.task.id}/{path}"[:200])
        local = Local(task_class)
        self._pass_on(Run(task, run.tree, path, local, parent=run))
        return LocalTask(self, local)

    def insert(self, ability: Ability[..., Any] | str, /, *args: Any, **kwargs: Any) -> str:
        """Insert a task into the Global Queue: it leaves with this task's acknowledgement, or not at all.

        Returns:
            The task's id, the same each time this step is repeated.

        Raises:
            NotEncodable: its arguments cannot be carried.
        """
        task_class = ability if isinstance(ability, str) else ability.task_class
        return self.insert_task(Task(task_class=task_class, args=args, kwargs=kwargs))

    def insert_task(self, task: Task) -> str:
        """Insert a task with all its settings, as `insert` does; its id is replaced by one that repeats.

        Raises:
            NotEncodable: its arguments cannot be carried.
        """
        run, cell = self._current()
        run.steps += 1
        root = run.tree.task
        id_ = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{root.id}:{run.path}:{run.steps}"))
        task = msgspec.structs.replace(task, id=id_, parent=root.id, traceparent=task.traceparent or root.traceparent)
        add(run, cell.wire.task(task))
        return id_

    def respond(self, value: Any, *, at_once: bool = False) -> None:
        """Send one of several responses to the originator, if there is one; it leaves with the acknowledgement.

        Args:
            value: the response.
            at_once: send a copy now, for an originator that wants to see each as it comes. It may be of an attempt that
                fails later; each place in the order of responses is heard once, by who speaks first.

        Raises:
            NotEncodable: the value cannot be carried.
        """
        run, cell = self._current()
        root = run.tree.task
        if root.originator is None:
            return
        run.parts += 1
        place = (run.path, run.parts)
        part = ReplyBody(id=root.id, kind="part", attempt=root.attempt, value=value, place=place)
        message = cell.wire.reply(root.originator, part)
        add(run, message)
        if at_once:
            self._send_now(message)

    def acknowledge(self) -> None:
        """Tell the originator, if there is one, that a worker has begun: at once, never certain."""
        run, cell = self._current()
        root = run.tree.task
        if root.originator is not None:
            self._send_now(cell.wire.reply(root.originator, ReplyBody(id=root.id, kind="begun", attempt=root.attempt)))

    def progress(self, done: float, total: float, text: str = "") -> None:
        """Tell the originator, if there is one, how far this is: at once, at most ten times a second, never certain."""
        run, cell = self._current()
        root = run.tree.task
        if root.originator is None or not self._may_tell(cell.clock.monotonic(), done >= total):
            return
        body = ReplyBody(id=root.id, kind="progress", attempt=root.attempt, value=[done, total, text])
        self._send_now(cell.wire.reply(root.originator, body))

    def _send_now(self, message: Message) -> None:
        run, cell = self._current()
        self._tell(run.tree.delivery.connection, cell.bus.send_frame(message))

    def _may_tell(self, now: float, last: bool) -> bool:
        """Say whether progress is worth a message now."""
        if now - self._last_progress < PROGRESS_EVERY and not last:
            return False
        self._last_progress = now
        return True

    def _tell(self, connection: Connection, frame: bytes) -> None:
        """Write a message that may be lost."""
        with contextlib.suppress(ConnectionLost):  # which shows elsewhere, and is not worth a failure here
            connection.write(frame)

    def checkpoint(self) -> None:
        """Do nothing, unless the task has been cancelled: a good place for a task to end.

        Raises:
            TaskCancelled: it has.
        """
        if self._current()[0].tree.rejected == CANCELLED:
            raise TaskCancelled

    def cancel(self, task_id: str) -> bool:
        """End what is being performed for a cancelled task as soon as it can be; say if that was tried now.

        The drone calls it again and again until the task has ended. Without a way to end it, it runs to its end.
        """
        return False

    def stack_of(self, run: Run) -> str:
        """Return where in its code a run is now, in the form of a traceback; empty when that cannot be said."""
        return ""

    def _current(self) -> tuple[Run, Cell]:
        """Return what is being performed, by whoever calls.

        Raises:
            SwarmageError: nothing is.
        """
        raise NotImplementedError

    def _pass_on(self, run: Run) -> None:
        """Put a local task into the Local Queue."""
        raise NotImplementedError

    def _wait_for(self, local: Local, timeout: float) -> None:
        """Return when a local task has ended.

        Raises:
            DeadlineExceeded: it has not in `timeout` seconds.
        """
        raise NotImplementedError

    async def _await(self, local: Local, timeout: float) -> None:
        """Return when a local task has ended, in a coroutine.

        Raises:
            DeadlineExceeded: it has not in `timeout` seconds.
            SwarmageError: this worker performs no coroutines.
        """
        raise SwarmageError(f"{type(self).__qualname__} is no AsyncWorker: wait for {local.task_class} with result()")

    def _end(self, run: Run, outcome: Outcome) -> None:
        """Hand a run in with its outcome: once, whatever goes wrong."""
        if run.ended or self._cell is None:
            return
        run.ended = True
        local = run.local
        if local is not None:
            local.outcome = outcome
            if local.wake is not None:
                local.wake.wake()
        self._cell.mailbox.finish(run, outcome)
