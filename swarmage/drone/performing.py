"""What an ability may call while it performs a task.

From: worker.  To: local_queue, and finalize by what it leaves to be sent.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from swarmage.abilities import Ability
from swarmage.drone.branch import Branch
from swarmage.drone.cell import Cell
from swarmage.drone.local_task import LocalTask
from swarmage.drone.messages import CANCELLATION
from swarmage.drone.names import check_names
from swarmage.drone.referring import Referring
from swarmage.drone.run import Local, Run
from swarmage.drone.sending import add
from swarmage.drone.telling import Telling
from swarmage.errors import AbilityError, SwarmageError, TaskCancelled, TreeTooLarge
from swarmage.inserting import task_of
from swarmage.outcome import Outcome
from swarmage.task import Task


class Performing(Telling, Referring):
    """The part of a Worker that its abilities use. Owned by the worker's thread.

    Attributes:
        most_local: how many local tasks may come of one task from the bus.
    """

    most_local: ClassVar[int] = 100_000

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_names(cls)
        if type(cls.most_local) is not int or cls.most_local < 1:
            raise AbilityError(f"{cls.__qualname__}.most_local must be 1 or more, not {cls.most_local!r}")

    def __init__(self, cell: Cell | None) -> None:
        self._cell = cell  # before pykka asks for the inbox, which is the cell's
        super().__init__()

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
        self._pass_on(Run(task, Branch(run.tree, local) if tried else run.tree, path, local, parent=run))
        return LocalTask(self, local)

    def insert(self, ability: Ability[..., Any] | str, /, *args: Any, **kwargs: Any) -> str:
        """Insert a task into the Global Queue: it leaves with this task's acknowledgement, or not at all.

        Returns:
            The task's id, the same each time this step is repeated.

        Raises:
            NotEncodable: its arguments cannot be carried.
        """
        return self.insert_task(task_of(ability, args, kwargs))

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

    def checkpoint(self) -> None:
        """End this task if it is cancelled or its time is over: cheap, for a loop that would be long in noticing.

        Raises:
            TaskCancelled: it is cancelled.
            TaskTimeout: it is over its timeout or its deadline.
        """
        run, cell = self._current()
        if run.tree.root.ending is CANCELLATION:
            raise TaskCancelled
        self._check_time(cell.clock.monotonic())

    def _cancel(self, task_id: str) -> bool:
        """End what is being performed for a cancelled task as soon as it can be; say if that was tried now.

        The drone calls it again and again until the task has ended. Without a way to end it, it runs to its end.
        """
        return False

    def stack_of(self, run: Run) -> str:
        """Return where in its code a run is now, in the form of a traceback; empty when that cannot be said."""
        return ""

    def _check_time(self, now: float) -> None:
        """Raise `TaskTimeout` if what is being performed is over its time."""
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
        if run.local is not None and not run.local.tried:
            run.local.end(outcome)
        self._cell.mailbox.finish(run, outcome)
