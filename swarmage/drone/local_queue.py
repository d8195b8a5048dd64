"""The Local Queue: the drone's own mailbox, in which its workers find their tasks.

From: intake, and workers that pass on local tasks.  To: worker.

`put` sorts what the drone is told: tasks go into the lane of their task class, where workers take them themselves, and
everything else to the drone's thread. So no task passes through the drone's thread, which is what makes it quick.
A worker's inbox is a view on the lanes of its abilities. Idle workers sleep; one is woken at a time, and it wakes
the next when it finds more to do, so that a burst does not wake all of them for one task.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from queue import Empty
from typing import TYPE_CHECKING, Any

from swarmage.clock import SYSTEM_CLOCK, Clock
from swarmage.drone.branch import Branch
from swarmage.drone.finished import Finished
from swarmage.drone.lane import Lane, next_run
from swarmage.drone.messages import TICK, Envelope
from swarmage.drone.run import Run, Tree

if TYPE_CHECKING:
    from swarmage.drone.worker_inbox import WorkerInbox

TICK_SECONDS = 0.1


class Mailbox(Finished):
    """The inbox of a drone. Any thread may put; the drone's thread gets; workers take."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        super().__init__()
        self._clock = clock
        self._next_tick = 0.0
        self._ticked = False  # the last thing said to the drone was a tick
        self.lock = threading.Lock()
        self.lanes: dict[str, Lane] = {}
        self.open_trees = 0  # tasks from the bus that are here, begun or not
        self.trees: dict[str, Tree] = {}  # those same tasks by their id
        self.accepting = True

    # as pykka's inbox of the drone

    def put(self, envelope: Envelope, /) -> None:
        """Take in what the drone is told."""
        if type(envelope.message) is Run:
            self.put_runs((envelope.message,))
        else:
            self._control.put(envelope)

    def get(self) -> Envelope:
        """Return the next message to the drone itself, and ten times a second a `Tick`, never two in a row."""
        left = self._next_tick - self._clock.monotonic()
        if left > 0 or self._ticked:
            self._ticked = False
            try:
                return self._control.get(timeout=max(left, 0.0)) if left > 0 else self._control.get_nowait()
            except Empty:
                pass  # so it is time for a tick
        self._next_tick = self._clock.monotonic() + TICK_SECONDS
        self._ticked = True
        return TICK

    def empty(self) -> bool:
        """Say whether there is no message to the drone itself."""
        return self._control.empty()

    # tasks in

    def put_runs(self, runs: Iterable[Run]) -> None:
        """Put tasks of known classes into their lanes: all tasks of one read under one lock."""
        lanes = self.lanes
        with self.lock:
            for run in runs:
                lane = lanes[run.task.task_class]
                if run.local is None:
                    if not self.accepting or self._is_here(run.tree):
                        continue  # not accepted: the bus gives it to somebody else when this drone has left
                    self.open_trees += 1
                    lane.bus.append(run)
                else:
                    self._grow(run.tree)
                    lane.local.append(run)
                if lane.waking is None:
                    lane.wake()

    @staticmethod
    def _grow(tree: Tree) -> None:
        if tree.parent is not None and not tree.open:  # a new branch, which counts as one task of what it grows on
            tree.parent.open += 1
        tree.open += 1
        tree.root.locals += 1

    def repeat(self, run: Run) -> None:
        """Have a task that was taken performed once more from its start; nothing that came of it so far counts."""
        with self.lock:
            lane = self.lanes[run.task.task_class]
            (lane.bus if run.local is None else lane.local).appendleft(run.again())
            if lane.waking is None:
                lane.wake()

    def _is_here(self, tree: Tree) -> bool:
        """Say whether the task is here already, and came again because its connection was lost.

        Then only its ack has a new address: a task that runs for an hour is not begun again for a restarted bus.
        """
        known = self.trees.get(tree.task.id)
        if known is None or not known.delivery.connection.lost or tree.task.key is not None:
            # a task of a key begins anew, after the one that runs: others may have had the key meanwhile
            self.trees[tree.task.id] = tree
            return False
        known.delivery = tree.delivery
        return True

    def _forget_tree(self, tree: Tree) -> None:
        self.open_trees -= 1
        if self.trees.get(tree.task.id) is tree:
            del self.trees[tree.task.id]

    # tasks out

    def take(self, inbox: WorkerInbox) -> Run | None:
        """Return the next task for this worker, local ones first; if there is none the worker counts as idle."""
        with self.lock:
            self._arrived(inbox)
            run = next_run(inbox.lanes)
            if run is None:
                inbox.ticket += 1
                for lane in inbox.lanes:
                    lane.idle[inbox] = inbox.ticket
                return None
            inbox.ticket += 1  # a late wake-up may have come before it was taken off the lists of the idle
            for lane in inbox.lanes:
                if lane.waking is None and (lane.local or lane.bus):
                    lane.wake()
            return run

    def take_local(self, inbox: WorkerInbox, within: Run | None = None) -> Run | None:
        """Return the next local task for a worker that waits for one, newest first: it may be the one waited for.

        Args:
            inbox: the worker's.
            within: return only a task that came of this run.
        """
        with self.lock:
            for lane in inbox.lanes:
                if within is not None:
                    run = lane.take_descendant(within)
                    if run is not None:
                        return run
                elif lane.local:
                    return lane.local.pop()
            inbox.ticket += 1
            for lane in inbox.lanes:
                lane.helpers[inbox] = inbox.ticket
            return None

    def stop_helping(self, inbox: WorkerInbox) -> None:
        """Count a worker as busy again; a local task it was woken for and did not take is another's."""
        with self.lock:
            inbox.ticket += 1
            for lane in inbox.lanes:
                if lane.local and lane.waking is None:
                    lane.wake()

    @staticmethod
    def _arrived(inbox: WorkerInbox) -> None:
        lane = inbox.woken_by
        if lane is not None:
            inbox.woken_by = lane.waking = None

    def forget(self, inbox: WorkerInbox) -> None:
        """Count a worker as busy with something else; a wake-up it was sent goes to the next."""
        with self.lock:
            inbox.ticket += 1
            lane = inbox.woken_by
            self._arrived(inbox)
            if lane is not None and (lane.local or lane.bus):
                lane.wake()

    def remove_waiting(self, task_class: str, unwanted: Any) -> list[Run]:
        """Take tasks from the bus out of a lane that nobody has begun and for which ``unwanted(run)`` is true."""
        with self.lock:
            removed = self.lanes[task_class].remove(unwanted)
            for run in removed:
                self._forget_tree(run.tree)
            return removed

    def remove_stuck(self, task_class: str, head: Run | None) -> tuple[list[Run], Run | None]:
        """Take the tasks from the bus out of a lane if ``head`` still comes first in it and nobody is free to take it.

        Returns:
            What was taken out, and what comes first now.
        """
        with self.lock:
            lane = self.lanes[task_class]
            first = lane.bus[0] if lane.bus else None
            if first is None or first is not head or lane.waking is not None or lane.has_idle:
                return [], first
            removed = list(lane.bus)
            lane.bus.clear()
            for run in removed:
                self._forget_tree(run.tree)
            return removed, None

    def close(self) -> list[Run]:
        """Take in no more tasks from the bus; return those that nobody has begun."""
        with self.lock:
            self.accepting = False
            lanes = set(self.lanes.values())  # a kind of keyed actors has one for all its task classes
            left = [run for lane in lanes for run in lane.bus]
            for run in left:
                self._forget_tree(run.tree)
            for lane in lanes:
                lane.bus.clear()
            return left

    def is_here(self, task_id: str) -> bool:
        """Say whether a task is here, begun or not."""
        return task_id in self.trees

    def end_runs(self, runs: Iterable[Run]) -> list[Tree]:
        """Count runs as ended; return the trees and branches whose last one it was."""
        complete = []
        with self.lock:
            for run in runs:
                tree = run.tree
                tree.open -= 1
                if tree.open == 0:
                    complete.append(tree)
                    if tree.parent is None:
                        self._forget_tree(tree)
        return complete

    def end_branch(self, branch: Branch) -> list[Tree]:
        """Count a branch as ended; return what it grew on if that has ended with it."""
        parent = branch.parent
        with self.lock:
            parent.open -= 1
            if parent.open:
                return []
            if parent.parent is None:
                self._forget_tree(parent)
        return [parent]
