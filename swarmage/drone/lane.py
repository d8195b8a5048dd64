"""One lane of the Local Queue."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from swarmage.drone.messages import WAKE
from swarmage.drone.run import Run

if TYPE_CHECKING:
    from swarmage.drone.worker_inbox import WorkerInbox


class Lane:
    """The tasks of one task class. All fields are guarded by the mailbox's lock, but for one thing: workers that come
    from one task take the next one from the bus without it, see `Mailbox.take_at_once`.
    """

    __slots__ = ("bus", "helpers", "idle", "local", "waking")

    free: ClassVar[bool] = True
    """Whether its tasks may be taken without the lock."""

    def __init__(self) -> None:
        self.local: deque[Run] = deque()
        self.bus: deque[Run] = deque()
        self.idle: dict[WorkerInbox, int] = {}  # by ticket: an entry of an earlier idleness counts for nothing
        self.helpers: dict[WorkerInbox, int] = {}  # workers that wait for a local task and could perform one
        self.waking: WorkerInbox | None = None

    @property
    def has_idle(self) -> bool:
        """Whether a worker sleeps that is able to perform its tasks."""
        return any(inbox.ticket == ticket for inbox, ticket in self.idle.items())

    def wake(self) -> None:
        """Wake one worker for what is here: an idle one, or for a local task one that waits for another."""
        idle = self.idle
        while idle:
            inbox, ticket = idle.popitem()
            if inbox.ticket == ticket:
                inbox.ticket += 1
                self.waking, inbox.woken_by = inbox, self
                inbox.private.put(WAKE)
                return
        helpers = self.helpers
        while self.local and helpers:
            inbox, ticket = helpers.popitem()
            if inbox.ticket == ticket:
                inbox.ticket += 1
                inbox.private.put(WAKE)
                return

    @property
    def first(self) -> Run | None:
        """What `pop` would take."""
        try:
            return self.bus[0]
        except IndexError:
            return None

    def pop(self) -> Run | None:
        """Take the next task from the bus; safe without the lock."""
        try:
            return self.bus.popleft()
        except IndexError:
            return None

    def clear(self) -> list[Run]:
        """Take out all tasks from the bus that nobody has begun: one by one, for others may do so, too."""
        removed = []
        while (run := self.pop()) is not None:
            removed.append(run)
        return removed

    def remove(self, unwanted: Callable[[Run], bool]) -> list[Run]:
        """Take out tasks from the bus that nobody has begun."""
        removed: list[Run] = []
        for run in self.clear():  # who finds nothing meanwhile asks again, with the lock
            (removed if unwanted(run) else self.bus).append(run)
        return removed

    def take_descendant(self, ancestor: Run) -> Run | None:
        """Take the newest local task that came of a run."""
        for index in range(len(self.local) - 1, -1, -1):
            run = self.local[index]
            if run.tree.root is ancestor.tree.root and run.path.startswith(
                f"{ancestor.path}." if ancestor.path else ""
            ):
                del self.local[index]
                return run
        return None


def next_run(lanes: Sequence[Lane]) -> Run | None:
    """Take the next task out of these lanes, local ones first."""
    for lane in lanes:
        if lane.local:
            return lane.local.popleft()
    for lane in lanes:
        run = lane.pop()
        if run is not None:
            return run
    return None


def short_runs(lanes: Sequence[Lane], count: int, most_bytes: int) -> list[Run]:
    """Take the next tasks from the bus out of these lanes, up to so many, each of at most so many bytes."""
    taken: list[Run] = []
    for lane in lanes:
        while len(taken) < count and (run := lane.pop()) is not None:
            if len(run.tree.delivery.body) > most_bytes:
                lane.bus.appendleft(run)
                break
            taken.append(run)
    return taken
