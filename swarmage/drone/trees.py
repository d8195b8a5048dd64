"""Which tasks are here, and how much of each is still open.

From: local_queue.  To: finalize.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from swarmage.drone.branch import Branch
from swarmage.drone.finished import Finished
from swarmage.drone.run import Run, Tree


class Trees(Finished):
    """The part of the drone's mailbox that counts.

    Attributes:
        lock: guards all of the Local Queue, held for moments.
        trees: tasks from the bus that are here, begun or not, by their id.
        open_trees: how many these are.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.open_trees = 0
        self.trees: dict[str, Tree] = {}

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

    @staticmethod
    def _grow(tree: Tree) -> None:
        if tree.parent is not None and not tree.open:  # a new branch, which counts as one task of what it grows on
            tree.parent.open += 1
        tree.open += 1
        tree.root.locals += 1

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
