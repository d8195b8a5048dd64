"""Taking in the tasks of keys: one subscription brings those of all task classes of a kind.

From: bus.  To: local_queue.
"""

from __future__ import annotations

from collections.abc import Mapping

from swarmage.bus.delivery import Delivery
from swarmage.clock import Clock
from swarmage.drone.intake import Intake
from swarmage.drone.keyed.lane import FIRST, GROUP, distrust
from swarmage.drone.local_queue import Mailbox
from swarmage.drone.messages import Suspect, Suspected, Unread
from swarmage.drone.run import Run
from swarmage.drone.standing import Standing
from swarmage.outcome import Failure
from swarmage.task import Task
from swarmage.wire.envelope import Wire
from swarmage.wire.names import group_of

AHEAD = 256
"""Tasks of one kind that a drone holds at least. What waits here for a busy key could go nowhere else; and of the 1,024
buckets into which the bus sorts keys, no more than so many stay here for the moment when another drone joins."""


class KeyedIntake(Intake):
    """The way in for one subscription to the tasks of a kind."""

    def __init__(
        self, mailbox: Mailbox, wire: Wire, clock: Clock, kind: str, caps: Mapping[str, int | None], standing: Standing
    ) -> None:
        """Begin with nothing.

        Args:
            mailbox: where tasks go.
            wire: reads them.
            clock: says which come too late.
            kind: of the actors.
            caps: how often a drone may be lost with a task, by task class; None = any number.
            standing: says which are cancelled.
        """
        super().__init__(mailbox, wire, clock, standing=standing)
        self._kind = kind
        self._caps = caps

    def receive(self, deliveries: list[Delivery]) -> None:
        """Take note of keys that others may have had, whatever becomes of the task that says so; then as always."""
        moved = [delivery.headers.get(GROUP, "") for delivery in deliveries if FIRST in delivery.headers]
        if moved:
            distrust(self._mailbox, self._kind, moved)
        super().receive(deliveries)

    def _read(self, delivery: Delivery, now: float) -> Run | Unread | Suspected | Suspect:
        read = super()._read(delivery, now)
        if isinstance(read, Unread):
            return read
        task = read.run.task if isinstance(read, Suspect) else read.task
        if task.task_class not in self._caps:
            return self._unknown(delivery, task)
        if task.key is None or delivery.headers.get(GROUP) != group_of(task.key):
            wrong = f"its {GROUP} is not the digest of its key: docs/wire-format.md, section 10"
            return Unread(delivery, "unreadable", Failure("Unreadable", wrong), task)
        return read

    def _judge(self, delivery: Delivery, task: Task) -> Run | Unread | Suspected | Suspect:
        self._crashes = self._caps.get(task.task_class)
        return super()._judge(delivery, task)

    def _unknown(self, delivery: Delivery, task: Task) -> Unread:
        known = ", ".join(sorted(name for name in self._caps if name.startswith(f"{self._kind}.")))
        what = f"the KeyedWorker {self._kind!r} of this drone has no ability {task.task_class}; it has {known}"
        return Unread(delivery, "unknown", Failure("UnknownTaskClass", what), task)


class KeylessIntake(Intake):
    """The way in for tasks of a KeyedWorker that name no key, which nobody can perform."""

    def _read(self, delivery: Delivery, now: float) -> Run | Unread | Suspected | Suspect:
        read = super()._read(delivery, now)
        if isinstance(read, Unread):
            return read
        task = read.run.task if isinstance(read, Suspect) else read.task
        what = f"{task.task_class} is an ability of a KeyedWorker: its tasks need a key, Task(task_class=…, key=…)"
        return Unread(delivery, "arguments", Failure("ArgumentError", what), task)
