"""How a worker in a thread waits for local tasks: by performing others meanwhile.

From: performing.  To: local_queue.
"""

from __future__ import annotations

import math
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from swarmage.drone.cell import Cell
from swarmage.drone.execution import last_words
from swarmage.drone.limit import TimeLimit
from swarmage.drone.performing import Performing
from swarmage.drone.run import Local, Run
from swarmage.drone.worker_inbox import WorkerInbox
from swarmage.errors import DeadlineExceeded, SwarmageError, TaskTimeout
from swarmage.outcome import Failed

MOST_NESTED = 20
"""Tasks that one worker performs inside one another while each waits for a local task of any tree. Deeper it performs
only what the waiting task itself waits for, since each takes eight frames of Python's stack."""


class Helping(Performing):
    """The part of a Worker with a thread of its own that knows what it is doing. Owned by that thread."""

    _longest_sleep = math.inf  # seconds that it may wait without a look around

    def __init__(self, cell: Cell | None) -> None:
        super().__init__(cell)
        self._limit = TimeLimit()
        self._run: Run | None = None
        self._deferred: list[Any] = []  # messages to the worker itself that came while it waited for a local task
        self._depth = 0  # tasks being performed inside one another, each waiting for a local one

    @property
    def current_runs(self) -> Sequence[Run]:
        """What is being performed; other threads may look."""
        run = self._run
        return () if run is None else (run,)

    def _check_time(self, now: float) -> None:
        self._limit.check(now)

    def _cancel(self, task_id: str) -> bool:
        """See `Performing._cancel`; in a thread it strikes at the next line of Python."""
        run = self._run
        if run is None or self._cell is None or run.tree.task.id != task_id:
            return False
        return self._limit.cancel(run, self._cell.clock.monotonic())

    def stack_of(self, run: Run) -> str:
        """See `Performing.stack_of`."""
        frame = sys._current_frames().get(self._limit.thread)
        return "" if frame is None or self._run is not run else "".join(traceback.format_stack(frame))

    def _current(self) -> tuple[Run, Cell]:
        if self._run is None or self._cell is None:
            raise SwarmageError(f"{type(self).__qualname__} is not performing a task: call this inside an ability")
        return self._run, self._cell

    def _pass_on(self, run: Run) -> None:
        assert self._cell is not None
        limit = self._limit.suspend()
        self._cell.mailbox.put_runs((run,))
        self._limit.resume(limit)

    def _perform(self, run: Run) -> None:
        raise NotImplementedError

    def _wait_for(self, local: Local, timeout: float) -> None:
        """Perform local tasks until this one has ended."""
        _, cell = self._current()
        inbox: WorkerInbox = self.actor_inbox  # type: ignore[attr-defined]  # the Worker is the actor
        deadline = cell.clock.monotonic() + timeout
        local.wake = inbox  # before looking: who ends it sets the outcome first and looks for this then
        limit = self._limit.suspend()  # a task taken must be performed: the limit is looked at between two of them
        try:
            self._help_until(local, deadline, timeout, math.inf if limit is None else limit)
        except TaskTimeout:
            limit = None  # spent
            raise
        finally:
            cell.mailbox.stop_helping(inbox)
            self._limit.resume(limit)

    def _help_until(self, local: Local, deadline: float, timeout: float, limit: float) -> None:
        run, cell = self._current()
        inbox: WorkerInbox = self.actor_inbox  # type: ignore[attr-defined]  # as above
        while local.outcome is None:
            self._look_around()
            deep = self._depth >= MOST_NESTED
            other = cell.mailbox.take_local(inbox, within=run if deep else None)
            if other is not None:
                self._depth += 1
                try:
                    self._perform(other)
                except BaseException as error:  # noqa: BLE001 - such as no stack left: the task taken must end
                    self._end(other, Failed(last_words(error)))
                self._depth -= 1
                self._run = run
                continue
            now = cell.clock.monotonic()
            if now >= limit:
                break
            if now >= deadline:
                raise DeadlineExceeded(f"local task {local.task_class} has not ended in {timeout:.1f} s")
            deferred = inbox.wait(min(deadline - now, limit - now, self._longest_sleep))
            if deferred is not None:
                self._deferred.append(deferred)
        self._look_around()
        if cell.clock.monotonic() >= limit:
            raise TaskTimeout

    def _look_around(self) -> None:
        """Raise what ends the waiting task although it only waits."""
