"""What drones, workers and the local queue say to each other."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from swarmage.bus.delivery import Delivery
from swarmage.outcome import Failure, Outcome
from swarmage.task import Task
from swarmage.wire.message import Message

CANCELLED = "cancelled"
"""The one reason that makes no dead letter."""

CANCEL_FAILURE = Failure("TaskCancelled", "it was cancelled before it had ended")


class Tree:
    """A task from the bus and all local tasks that came of it: acknowledged together, when the last is done.

    Owned by the drone's thread but for `open`, which the local queue's lock guards.

    Attributes:
        delivery: what is to be acknowledged.
        task: the task from the bus, the root.
        open: how many of its tasks have not ended.
        failure: the first failure, which makes the whole tree fail.
        sending: its ended runs that want something sent with the acknowledgement.
        rejected: the reason for which another attempt would be in vain.
    """

    __slots__ = ("delivery", "failure", "open", "rejected", "sending", "task")

    def __init__(self, delivery: Delivery, task: Task) -> None:
        self.delivery = delivery
        self.task = task
        self.open = 1
        self.failure: Failure | None = None
        self.rejected: str | None = None
        self.sending: list[Run] = []


class Run:
    """One task on its way through a cell.

    It is its own pykka envelope (`message`, `reply_to`): one object a task less.

    Attributes:
        task: what is to be done.
        tree: the tree it belongs to.
        local: the handle of a local task, None for a task from the bus.
        path: where in the tree it stands: empty for the root, else numbers; makes the ids of what it inserts.
        sends: what it wants sent; owned by the worker until the run is finished.
        steps: how many local tasks and inserts it made so far.
        size: bytes of what it wants sent.
        parts: how many responses it gave so far.
        began: when a worker began it, on the monotonic clock; 0 before.
        seconds: how long it took.
        ended: it was handed in with its outcome.
        extra: it came by the extra subscription of a quick task class.
        parent: the run that passed it on, None for a task from the bus.
        repeated: it was given up without an outcome, and another run of the same task takes its place.
    """

    __slots__ = (
        "began", "ended", "extra", "local", "parent", "parts", "path", "repeated", "seconds", "sends", "size", "steps",
        "task", "tree",
    )  # fmt: skip

    reply_to = None

    def __init__(
        self,
        task: Task,
        tree: Tree,
        path: str = "",
        local: Local | None = None,
        extra: bool = False,
        parent: Run | None = None,
    ) -> None:
        self.task = task
        self.tree = tree
        self.path = path
        self.local = local
        self.extra = extra
        self.parent = parent
        self.repeated = False
        self.sends: list[Message] | None = None
        self.steps = 0
        self.size = 0
        self.parts = 0
        self.began = 0.0
        self.seconds = 0.0
        self.ended = False

    @property
    def message(self) -> Run:
        """What pykka hands to `on_receive`."""
        return self

    def again(self) -> Run:
        """Give this run up without an outcome; return the one that takes its place."""
        self.ended = self.repeated = True
        return Run(self.task, self.tree, self.path, self.local, self.extra, self.parent)

    @property
    def disowned(self) -> bool:
        """Whether it came of a run that was repeated, and so of nothing that counts any more."""
        above = self.parent
        while above is not None:
            if above.repeated:
                return True
            above = above.parent
        return False

    @property
    def pointless(self) -> bool:
        """Whether it need not be begun: a local task, and nothing can come of its tree or of what passed it on."""
        return self.local is not None and (self.tree.failure is not None or self.disowned)


class Local:
    """A local task, as the task that passed it on sees it."""

    __slots__ = ("outcome", "task_class", "wake")

    def __init__(self, task_class: str) -> None:
        self.task_class = task_class
        self.outcome: Outcome | None = None
        self.wake: Any = None  # the inbox of the worker that waits for it


class Unread(NamedTuple):
    """To the drone: a message that is no task for it.

    Attributes:
        delivery: what is to be acknowledged.
        reason: why, in the dead letters' words.
        failure: what is wrong with it.
        task: the task, where it could be read.
    """

    delivery: Delivery
    reason: str
    failure: Failure
    task: Task | None = None


class Flush(NamedTuple):
    """To the drone: finished runs are waiting to be finalized."""


class Tick(NamedTuple):
    """To the drone: time has passed with nothing else to do."""


class RollCall(NamedTuple):
    """To the drone: somebody asks who is there.

    Attributes:
        reply_to: where the answer goes.
    """

    reply_to: str


class Ordered(NamedTuple):
    """To the drone: there are standing orders.

    Attributes:
        changed: they have been changed, and not been read yet.
    """

    changed: bool = False


class DrainAsked(NamedTuple):
    """To the drone: it is to leave.

    Attributes:
        reply_to: where the answer goes.
    """

    reply_to: str


class Lost(NamedTuple):
    """To the drone: a connection has ended.

    Attributes:
        connection: the one that ended.
    """

    connection: Any


class Envelope(Protocol):
    """What pykka puts into an inbox."""

    @property
    def message(self) -> Any:
        """What was said."""
        ...

    @property
    def reply_to(self) -> Any:
        """The future that waits for an answer, or None."""
        ...


class Letter(NamedTuple):
    """An envelope of our own."""

    message: Any
    reply_to: None = None


WAKE = Letter("wake")
FLUSH = Letter(Flush())
TICK = Letter(Tick())
