"""What drones, workers and the local queue say to each other."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from swarmage.bus.delivery import Delivery
from swarmage.outcome import Failure, Outcome, Rejected, Unsuccessful
from swarmage.task import Task
from swarmage.wire.message import Message

CANCELLED = "cancelled"
"""The one reason that makes no dead letter."""

CANCEL_FAILURE = Failure("TaskCancelled", "it was cancelled before it had ended")

CANCELLATION = Rejected(CANCELLED, CANCEL_FAILURE)
"""The ending of a cancelled tree. Itself, and no other that looks like it: a task may give any reason."""

EXPIRED = Rejected("expired", Failure("Expired", "its deadline had passed before it was begun"))


class Tree:
    """A task from the bus and all local tasks that came of it: acknowledged together, when the last is done.

    Owned by the drone's thread but for `open`, which the local queue's lock guards.

    Attributes:
        delivery: what is to be acknowledged.
        task: the task from the bus, the root.
        open: how many of its tasks have not ended.
        locals: how many local tasks came of it so far, also guarded by that lock.
        ending: the first outcome that is no success: it is that of the whole tree.
        sends: what its tasks want sent with the acknowledgement.
    """

    __slots__ = ("delivery", "ending", "locals", "open", "sends", "task")

    parent: Tree | None = None

    def __init__(self, delivery: Delivery, task: Task) -> None:
        self.delivery = delivery
        self.task = task
        self.open = 1
        self.locals = 0
        self.ending: Unsuccessful | None = None
        self.sends: list[Message] = []

    @property
    def root(self) -> Tree:
        """The tree itself, or for a branch the tree it is of."""
        return self

    @property
    def failure(self) -> Failure | None:
        """Why none of its tasks needs to be begun any more, if so."""
        return None if self.ending is None else self.ending.failure


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
        must_end: when it is over its hard limit, on the monotonic clock; None for no such limit.
    """

    __slots__ = (
        "began", "ended", "extra", "local", "must_end", "parts", "path", "seconds", "sends", "size", "steps", "task",
        "tree",
    )  # fmt: skip

    reply_to = None

    def __init__(self, task: Task, tree: Tree, path: str = "", local: Local | None = None, extra: bool = False) -> None:
        self.task = task
        self.tree = tree
        self.path = path
        self.local = local
        self.extra = extra
        self.sends: list[Message] | None = None
        self.steps = 0
        self.size = 0
        self.parts = 0
        self.began = 0.0
        self.seconds = 0.0
        self.ended = False
        self.must_end: float | None = None

    @property
    def message(self) -> Run:
        """What pykka hands to `on_receive`."""
        return self


class Local:
    """A local task, as the task that passed it on sees it.

    Attributes:
        task_class: its class.
        tried: it is the first task of a branch, and learns its outcome only with the whole of it.
        outcome: how it ended, once it has.
        wake: the inbox of the worker that waits for it, if one does.
    """

    __slots__ = ("outcome", "task_class", "tried", "wake")

    def __init__(self, task_class: str, *, tried: bool = False) -> None:
        self.task_class = task_class
        self.tried = tried
        self.outcome: Outcome | None = None
        self.wake: Any = None

    def end(self, outcome: Outcome) -> None:
        """Note how it ended, and wake who waits for it."""
        self.outcome = outcome
        if self.wake is not None:
            self.wake.wake()


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


class Suspected(NamedTuple):
    """To the drone: a task that comes back because a drone was lost while it was there.

    Attributes:
        delivery: what is to be acknowledged.
        task: the task.
    """

    delivery: Delivery
    task: Task


class Suspect(NamedTuple):
    """To the drone: a task that is to be performed alone.

    Attributes:
        run: the task.
    """

    run: Run


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
