"""A task on its way through a cell, and the tree it belongs to.

From: intake, performing.  To: worker, finalize.
"""

from __future__ import annotations

from typing import Any

from swarmage.bus.delivery import Delivery
from swarmage.outcome import Failure, Outcome, Unsuccessful
from swarmage.task import Task
from swarmage.wire.message import Message


class Tree:
    """A task from the bus and all local tasks that came of it: acknowledged together, when the last is done.

    Owned by the drone's thread but for `open`, which the local queue's lock guards.

    Attributes:
        delivery: what is to be acknowledged.
        task: the task from the bus, the root.
        open: how many of its tasks have not ended.
        locals: how many local tasks came of it so far, also guarded by that lock.
        ending: the first outcome that is no success: it is that of the whole tree.
        sending: its ended runs that want something sent with the acknowledgement.
    """

    __slots__ = ("delivery", "ending", "locals", "open", "sending", "task")

    parent: Tree | None = None

    def __init__(self, delivery: Delivery, task: Task) -> None:
        self.delivery = delivery
        self.task = task
        self.open = 1
        self.locals = 0
        self.ending: Unsuccessful | None = None
        self.sending: list[Run] = []

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
        extra: it came by a subscription for extra credit.
        must_end: when it is over its hard limit, on the monotonic clock; None for no such limit.
        parent: the run that passed it on, None for a task from the bus.
        repeated: it was given up without an outcome, and another run of the same task takes its place.
    """

    __slots__ = (
        "began", "ended", "extra", "local", "must_end", "parent", "parts", "path", "repeated", "seconds", "sends",
        "size", "steps", "task", "tree",
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
        self.must_end: float | None = None

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
