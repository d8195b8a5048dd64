"""The Local Queue: the drone's own mailbox, in which its workers find their tasks.

From: intake, and workers that pass on local tasks.  To: worker.

`put` sorts what the drone is told: tasks go into the lane of their task class, where workers take them themselves, and
everything else to the drone's thread. So no task passes through the drone's thread, which is what makes it quick.
A worker's inbox is a view on the lanes of its abilities. Idle workers sleep; one is woken at a time, and it wakes
the next when it finds more to do, so that a burst does not wake all of them for one task.
"""

from __future__ import annotations

from collections.abc import Iterable
from queue import Empty
from typing import TYPE_CHECKING, Any

from swarmage.clock import SYSTEM_CLOCK, Clock
from swarmage.drone.lane import Lane, next_run
from swarmage.drone.messages import TICK, Envelope
from swarmage.drone.run import Run
from swarmage.drone.trees import Trees

if TYPE_CHECKING:
    from swarmage.drone.worker_inbox import WorkerInbox

TICK_SECONDS = 0.1


class Mailbox(Trees):
    """The inbox of a drone. Any thread may put; the drone's thread gets; workers take."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        super().__init__()
        self._clock = clock
        self._next_tick = 0.0
        self._ticked = False  # the last thing said to the drone was a tick
        self.lanes: dict[str, Lane] = {}
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

    @property
    def ticked_at(self) -> float:
        """When the drone's thread has had its last tick, on the monotonic clock."""
        return self._next_tick - TICK_SECONDS

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

    def repeat(self, run: Run) -> None:
        """Have a task that was taken performed once more from its start; nothing that came of it so far counts."""
        with self.lock:
            lane = self.lanes[run.task.task_class]
            (lane.bus if run.local is None else lane.local).appendleft(run.again())
            if lane.waking is None:
                lane.wake()

    # tasks out

    def take_at_once(self, inbox: WorkerInbox) -> Run | None:
        """Return the next task from the bus for a worker that comes from a task, without the lock; None for a look.

        Threads that ask for one lock between short tasks spend five times as long on waking each other as on the tasks.
        """
        lanes = inbox.lanes
        for lane in lanes:
            if lane.local or not lane.free:
                return None
        for lane in lanes:
            run = lane.pop()
            if run is not None:
                inbox.took_from(lane)
                if lane.bus and lane.idle and lane.waking is None:
                    self._wake(lane)
                return run
        return None

    def _wake(self, lane: Lane) -> None:
        with self.lock:
            if lane.waking is None and (lane.local or lane.bus):
                lane.wake()

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
            if run.local is None:
                inbox.took_from(self.lanes[run.task.task_class])
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
            first = lane.first
            if first is None or first is not head or lane.waking is not None or lane.has_idle:
                return [], first
            removed = lane.clear()
            for run in removed:
                self._forget_tree(run.tree)
            return removed, None

    def close(self) -> list[Run]:
        """Take in no more tasks from the bus; return those that nobody has begun."""
        with self.lock:
            self.accepting = False
            lanes = set(self.lanes.values())  # a kind of keyed actors has one for all its task classes
            left = [run for lane in lanes for run in lane.clear()]
            for run in left:
                self._forget_tree(run.tree)
            return left
