"""What an ability may call while it performs a task.

From: worker.  To: local_queue, and finalize by what it leaves to be sent.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from swarmage.abilities import Ability
from swarmage.drone.cell import Cell
from swarmage.drone.messages import Branch, Local, Run
from swarmage.drone.sending import add
from swarmage.errors import (
    AbilityError,
    ConnectionLost,
    TaskFailed,
    TreeTooLarge,
)
from swarmage.outcome import Crashed, Discarded, Failed, Outcome, Rejected, Succeeded
from swarmage.task import Task
from swarmage.wire.envelope import ReplyBody

PROGRESS_EVERY = 0.1
"""Seconds between two progress messages: what a person can see."""


class LocalTask:
    """The handle of a local task."""

    def __init__(self, worker: Performing, local: Local) -> None:
        self._worker = worker
        self._local = local

    def result(self, timeout: float = 3600.0) -> Any:
        """Return what the local task returned.

        The worker that waits performs other local tasks meanwhile, so that a cell in which everybody waits goes on.

        Raises:
            TaskFailed: it failed, and with it the tree, so that it is no use going on; after `try_local` it is yours
                to go on or to let it through.
            DeadlineExceeded: it has not ended in `timeout` seconds.
        """
        self._worker._wait_for(self._local, timeout)
        ending = self._local.outcome
        match ending:
            case Succeeded(result):
                return result
            case Failed(failure) | Rejected(_, failure) | Discarded(failure) | Crashed(failure):
                error = TaskFailed(failure.kind, failure.message, failure.traceback)
                error.ending = ending
                raise error
            case _:
                raise TaskFailed("Skipped", f"local task {self._local.task_class} was not begun: its tree has failed")


class Performing:
    """The part of a Worker that its abilities use. Owned by the worker's thread.

    Attributes:
        most_local: how many local tasks may come of one task from the bus.
    """

    most_local: ClassVar[int] = 100_000

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if type(cls.most_local) is not int or cls.most_local < 1:
            raise AbilityError(f"{cls.__qualname__}.most_local must be 1 or more, not {cls.most_local!r}")

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
            TreeTooLarge: more than `most_local` of them came of the task from the bus.
        """
        return self._grow(ability, args, kwargs, tried=False)

    def try_local(self, ability: Ability[..., Any] | str, /, *args: Any, **kwargs: Any) -> LocalTask:
        """Pass on a task as `local` does, whose failure is yours to handle: it does not fail the tree.

        `LocalTask.result` raises `TaskFailed` if it, or a local task that came of it, has failed. Of a failed one
        nothing is inserted. It is performed once: trying again is yours as well.

        Raises:
            AbilityError: no worker of this cell is able to perform it.
            TreeTooLarge: more than `most_local` of them came of the task from the bus.
        """
        return self._grow(ability, args, kwargs, tried=True)

    def _grow(self, ability: Ability[..., Any] | str, args: Any, kwargs: Any, *, tried: bool) -> LocalTask:
        run, cell = self._current()
        task_class = ability if isinstance(ability, str) else ability.task_class
        if task_class not in cell.mailbox.lanes:
            raise AbilityError(f"no worker of this cell is able to perform {task_class!r}; use insert for other cells")
        root = run.tree.root
        if root.locals >= self.most_local:
            raise TreeTooLarge(
                f"more than {self.most_local} local tasks came of task {root.task.task_class}; insert tasks instead,"
                f" or set most_local of {type(self).__qualname__}"
            )
        run.steps += 1
        path = f"{run.path}.{run.steps}" if run.path else str(run.steps)
        id_ = f"{root.task.id}/{path}"[:200]
        task = Task(task_class=task_class, args=args, kwargs=kwargs, id=id_, deadline=root.task.deadline)
        local = Local(task_class, tried=tried)
        self._pass_on(Run(task, Branch(run.tree, local) if tried else run.tree, path, local))
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

        Where this task has a deadline, it is that of the other too, unless that has an earlier one.

        Raises:
            NotEncodable: its arguments cannot be carried.
        """
        run, cell = self._current()
        run.steps += 1
        root = run.tree.task
        id_ = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{root.id}:{run.path}:{run.steps}"))
        task = msgspec.structs.replace(task, id=id_, parent=root.id, traceparent=task.traceparent or root.traceparent)
        if root.deadline is not None:
            task = msgspec.structs.replace(task, deadline=min(root.deadline, task.deadline or root.deadline))
        add(run, cell.wire.task(task))
        return id_

    def respond(self, value: Any) -> None:
        """Send one of several responses to the originator, if there is one; it leaves with the acknowledgement.

        Raises:
            NotEncodable: the value cannot be carried.
        """
        run, cell = self._current()
        root = run.tree.task
        if root.originator is not None:
            part = ReplyBody(id=root.id, kind="part", attempt=root.attempt, value=value)
            add(run, cell.wire.reply(root.originator, part))

    def progress(self, done: float, total: float, text: str = "") -> None:
        """Tell the originator, if there is one, how far this is: at once, at most ten times a second, never certain."""
        run, cell = self._current()
        now = cell.clock.monotonic()
        root = run.tree.task
        if root.originator is None or (now - self._last_progress < PROGRESS_EVERY and done < total):
            return
        self._last_progress = now
        body = ReplyBody(id=root.id, kind="progress", attempt=root.attempt, value=[done, total, text])
        message = cell.wire.reply(root.originator, body)
        try:
            run.tree.root.delivery.connection.write(cell.bus.send_frame(message))
        except ConnectionLost:
            return  # a lost connection shows elsewhere; progress is not worth a failure

    def checkpoint(self) -> None:
        """End this task if its time is over: cheap, for a loop that would be long in noticing otherwise.

        Raises:
            TaskTimeout: it is over its timeout or its deadline.
        """
        raise NotImplementedError

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

    def _end(self, run: Run, outcome: Outcome) -> None:
        """Hand a run in with its outcome: once, whatever goes wrong."""
        if run.ended or self._cell is None:
            return
        run.ended = True
        if run.local is not None and not run.local.tried:
            run.local.end(outcome)
        self._cell.mailbox.finish(run, outcome)
