"""A part of a tree that may fail without it."""

from __future__ import annotations

from swarmage.drone.run import Local, Tree
from swarmage.outcome import Failure, Outcome, Skipped


class Branch(Tree):
    """A local task whose failure is its parent's to handle, and all local tasks that came of it.

    Attributes:
        parent: the tree or branch it grows on, of which it counts as one task.
        local: the handle, which learns the outcome when the last task of the branch has ended.
        outcome: how its first task ended.
    """

    __slots__ = ("local", "outcome", "parent")

    parent: Tree

    def __init__(self, parent: Tree, local: Local) -> None:
        super().__init__(parent.delivery, parent.task)
        self.open = 0
        self.parent = parent
        self.local = local
        self.outcome: Outcome = Skipped()

    @property
    def root(self) -> Tree:
        """The tree it is of."""
        return self.parent.root

    @property
    def failure(self) -> Failure | None:
        """Why none of its tasks needs to be begun any more, if so."""
        return super().failure or self.parent.failure
