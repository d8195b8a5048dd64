"""A worker whose tasks are performed in a process of its own, which its keeper starts, watches and replaces.

From: local_queue.  To: child, and finalize through the drone's mailbox.

The keeper is an actor like any other: it takes a task from the Local Queue, has its process perform it, and does for
it what needs the drone: local tasks, and progress. While its process waits for a local task the keeper gives it
others, one inside another, as a worker in a thread would do.
"""

from __future__ import annotations

import logging
from typing import Any, cast

from swarmage.abilities import Ability
from swarmage.drone.branch import Branch
from swarmage.drone.execution import failure_of
from swarmage.drone.limit import seconds_for
from swarmage.drone.local_queue import TICK_SECONDS
from swarmage.drone.messages import CANCEL_FAILURE, EXPIRED
from swarmage.drone.processes.ahead import PATIENCE
from swarmage.drone.processes.child_link import ChildGone, ChildLink
from swarmage.drone.processes.giving import Giving, asked_of
from swarmage.drone.processes.keeping import Limit, Loss
from swarmage.drone.processes.nursery import Nursery
from swarmage.drone.run import Local, Run
from swarmage.drone.worker import Worker
from swarmage.errors import DeadlineExceeded, MemoryLimitExceeded, NotEncodable, TaskTimeout
from swarmage.outcome import Crashed, Failed, Failure, Outcome, Rejected, Skipped
from swarmage.task import Task
from swarmage.wire.pipe import AtOnce, Ended, Lanes, PassOn, Perform, Wait, ended, outcome_of

logger = logging.getLogger("swarmage.drone")

LOOK_SECONDS = 0.1
"""How often a keeper looks at its process's memory, and whether it lives while it waits for a local task."""


class Keeper(Giving):
    """Has a process perform its tasks. Owned by its own thread."""

    _limit: Limit
    _longest_sleep = LOOK_SECONDS

    def __init__(self) -> None:
        super().__init__()
        self._limit = Limit()
        self._loss: Loss | None = None

    # performing

    def _outcome(self, run: Run) -> Outcome:
        if run.pointless:
            return Skipped()
        assert self._cell is not None
        if run.task.deadline is not None and self._cell.clock.wall() >= run.task.deadline:
            return EXPIRED
        given = self._is_given(run)
        try:
            asked = asked_of(run)
        except NotEncodable as error:
            return Rejected("arguments", failure_of(error))
        child = self._child if self._stack or given else self._living_child()
        if child is None:
            return self._put_back(run)
        with self._guard:
            self._stack.append(run)
            self._loss = None
        outcome = self._perform_in(child, run, asked, given=given)
        with self._guard:
            self._stack.pop()
        return outcome

    def _perform_in(self, child: ChildLink, run: Run, asked: Perform, *, given: bool) -> Outcome:
        assert self._cell is not None
        if not child.tasks:  # it may have taken long to start, which is not the task's fault
            seconds = self._seconds_of(self.abilities[run.task.task_class])
            self._limit.begin(seconds_for(run.task, seconds, self._cell.clock), self._cell.clock, run)
        try:
            if not given and not self._give_ahead(child, run, asked):
                self._say(child, asked)
        except ChildGone:
            child.kill()
            return self._put_back(run)
        try:
            return self._follow(child, run)
        except ChildGone:
            return self._fate(child, run)

    def _say(self, child: ChildLink, asked: Perform) -> None:
        assert self._cell is not None
        lanes = self._cell.mailbox.lanes
        if len(lanes) != child.knows:
            child.knows = len(lanes)
            child.send(Lanes(list(lanes)))
        if self.performs.recycle_growth is not None and not child.tasks:
            child.first_bytes = child.resident()
        child.tasks += 1
        child.send(asked)

    def _follow(self, child: ChildLink, run: Run) -> Outcome:
        cell = self._cell
        assert cell is not None
        while True:
            match self._hear(child, run):
                case Ended() as said if said.number == 0 or self._given.get(said.number) is run:
                    run.sends = [cell.wire.sign(message) for message in said.sends] or None
                    if child.handles:
                        child.handles = {n: handle for n, handle in child.handles.items() if handle[0] is not run}
                    return outcome_of(said)
                case PassOn() as passed:
                    self._pass_on_for(child, run, passed)
                case Wait() as wait:
                    self._wait(child, run, wait)
                case AtOnce(message):
                    self._send_now(cell.wire.sign(message))
                case None:
                    return Skipped()  # it was put back
                case _:
                    raise ChildGone  # it speaks out of turn, and is not to be believed any more

    def _pass_on_for(self, child: ChildLink, run: Run, passed: PassOn) -> None:
        assert self._cell is not None
        root = run.tree.task
        local = Local(passed.task_class, tried=passed.tried)
        child.handles[passed.number] = (run, local)
        id_ = f"{root.id}/{passed.path}"[:200]
        task = Task(task_class=passed.task_class, id=id_, pickled=passed.pickled, deadline=root.deadline)
        tree = Branch(run.tree, local) if passed.tried else run.tree
        self._cell.mailbox.put_runs((Run(task, tree, passed.path, local, parent=run),))

    def _hear(self, child: ChildLink, run: Run) -> Any:
        assert self._cell is not None
        clock = self._cell.clock
        most = self.performs.memory_limit
        while True:
            deadline = self._limit.deadline
            left = None if deadline is None else deadline - clock.monotonic()
            if left is not None and left <= 0:
                raise self._kill(child, run, self._too_late(run))
            look = None if left is None else min(left, TICK_SECONDS)  # the clock of a test may jump
            if most is not None:
                look = LOOK_SECONDS if look is None else min(look, LOOK_SECONDS)
            if len(self._given) > 1:
                look = PATIENCE if look is None else min(look, PATIENCE)
            said = child.receive(look)
            if said is not None:
                return said
            if len(self._given) > 1:
                self._take_back(child)
                self._pace.doubt()
                if run.ended:  # the process had not even taken this one
                    return None
            self._check_memory(child, run)

    def _wait(self, child: ChildLink, run: Run, wait: Wait) -> None:
        self._take_back(child)
        local = child.handles[wait.number][1]
        try:
            self._wait_for(local, wait.timeout)
        except TaskTimeout:
            raise self._kill(child, run, self._too_late(run)) from None
        except DeadlineExceeded:
            child.send(Ended("late"))
            return
        assert local.outcome is not None
        try:
            answer = ended(local.outcome)
        except NotEncodable as error:
            answer = ended(Failed(failure_of(error)))
        child.send(answer)

    def _look_around(self) -> None:
        """While a task waits for a local one: see whether the process it waits in is there, and not too large."""
        child = self._child
        if child is None or child.dead:
            raise ChildGone
        self._check_memory(child, self._stack[-1])

    # a process that ends

    def _check_memory(self, child: ChildLink, run: Run) -> None:
        most = self.performs.memory_limit
        if most is None:
            return
        size = child.resident()
        if size > most:
            text = f"{size / 1e6:.0f} MB, more than the {most / 1e6:.0f} MB it may take, so its process was killed"
            raise self._kill(child, run, Failed(Failure("MemoryLimitExceeded", text), MemoryLimitExceeded))

    def _too_late(self, run: Run) -> Failed:
        assert self._cell is not None
        ability = self.abilities[run.task.task_class]
        limit = "timeout" if self._seconds_of(ability) == ability.timeout else "hard_timeout"
        why = f"longer than its {limit} of {self._seconds_of(ability) or 0:g} s"
        if run.task.deadline is not None and self._cell.clock.wall() >= run.task.deadline:
            why = "its deadline passed while it was performed"
        return Failed(Failure("TaskTimeout", f"{why}, so its process was killed"), TaskTimeout)

    @staticmethod
    def _seconds_of(ability: Ability[..., Any]) -> float | None:
        limits = [seconds for seconds in (ability.timeout, ability.hard_timeout) if seconds is not None]
        return min(limits, default=None)

    def _kill(self, child: ChildLink, run: Run, outcome: Outcome) -> ChildGone:
        child.end()
        self._loss = Loss(run, outcome)
        return ChildGone()

    def _fate(self, child: ChildLink, run: Run) -> Outcome:
        """Return the outcome of a run whose process has ended: one run is to blame, others begin anew."""
        self._child = None
        end = child.end()
        if self._cancelled is not None:
            self._forget(self._cancelled)
        self._return(child.untaken)
        if run.ended:
            return Skipped()  # it had not been taken
        self._forget(run)
        self._return(list(self._given))  # one that it took, and that we killed it in for another
        with self._guard:
            cancelled, self._cancelled = self._cancelled, None
            if cancelled is not None:  # one that ended just then, or was put back, is to blame for nothing any more
                self._loss = Loss(cancelled if cancelled in self._stack else None, Failed(CANCEL_FAILURE))
            elif self._loss is None:
                self._loss = Loss(run, Crashed(Failure("WorkerCrashed", str(end))))
                logger.error("worker %s: %s, performing %s", self.performs.__qualname__, end, run.task.task_class)
            loss = self._loss
        if run is loss.run:
            return loss.outcome
        doomed = loss.run is not None and run.tree is loss.run.tree
        return Skipped() if doomed else self._put_back(run)


def keeper_of(worker_class: type[Worker]) -> type[Worker]:
    """Return the class of actor that performs the tasks of a Worker: a keeper, for one in a process of its own."""
    if worker_class.isolation != "process":
        return worker_class
    names = {name: getattr(worker_class, name) for name in ("__module__", "__qualname__", "__doc__")}
    names |= {"nursery": Nursery(worker_class), "performs": worker_class}
    keeper = cast("type[Keeper]", type(worker_class.__name__, (Keeper,), names))
    keeper.abilities = worker_class.abilities
    return keeper
