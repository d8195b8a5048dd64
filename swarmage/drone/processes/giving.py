"""What a keeper gives its process to do: one task, or some short ones ahead.

From: local_queue.  To: child.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from swarmage.drone.lane import short_runs
from swarmage.drone.processes.ahead import MOST_BYTES, Pace
from swarmage.drone.processes.child_link import ChildLink
from swarmage.drone.processes.keeping import carried
from swarmage.drone.processes.owner import Owner
from swarmage.drone.run import Run
from swarmage.drone.worker_inbox import WorkerInbox
from swarmage.outcome import Outcome, Skipped
from swarmage.wire.pipe import Perform


class Giving(Owner):
    """The part of a keeper that knows what its process was given. Owned by its own thread."""

    def __init__(self) -> None:
        super().__init__()
        self._given: dict[int, Run] = {}  # by datagram and not ended: what it performs, and behind it what lies ahead
        self._number = 0
        self._pace = Pace()

    def _handle_receive(self, message: Any) -> Any:
        result = super()._handle_receive(message)
        run = message if type(message) is Run else None
        while run is not None:
            self._forget(run)
            self._pace.observe(run.seconds)
            run = next(iter(self._given.values()), None)
            if run is not None:
                super()._handle_receive(run)
        return result

    def _is_given(self, run: Run) -> bool:
        return bool(self._given) and next(iter(self._given.values())) is run

    def _forget(self, run: Run) -> None:
        if self._given:
            self._given = {number: one for number, one in self._given.items() if one is not run}

    def _give_ahead(self, child: ChildLink, run: Run, asked: Perform) -> bool:
        """Give this task and some that wait behind it to the process, if they are short; say whether it was given."""
        room = self._pace.room()
        assert self._cell is not None
        mailbox, performs = self._cell.mailbox, self.performs
        if not room or len(self._stack) > 1 or run.local is not None or len(mailbox.lanes) != child.knows:
            return False
        if performs.recycle_tasks is not None or performs.recycle_growth is not None:
            return False
        inbox: WorkerInbox = self.actor_inbox  # type: ignore[assignment]  # it is in a cell
        with mailbox.lock:
            others = short_runs(inbox.lanes, room, MOST_BYTES)
        if not others or len(run.tree.delivery.body) > MOST_BYTES or not self._give(child, run, asked):
            self._put_back_all(others)
            return False
        for index, other in enumerate(others):
            if not self._give(child, other, asked_of(other)):
                self._put_back_all(others[index:])
                break
        return True

    def _give(self, child: ChildLink, run: Run, asked: Perform) -> bool:
        self._number += 1
        asked.number = self._number
        if not child.ahead.give(asked):
            return False
        child.tasks += 1
        self._given[self._number] = run
        return True

    def _take_back(self, child: ChildLink) -> None:
        """Put what the process has not taken back into the Local Queue.

        It may take one in the middle of that, so it is not said that it took those that were given first.
        """
        self._return(child.ahead.take_back())

    def _return(self, numbers: Sequence[int]) -> None:
        self._put_back_all([self._given.pop(number) for number in numbers if number in self._given])

    def _put_back_all(self, runs: Sequence[Run]) -> None:
        for run in reversed(runs):
            self._put_back(run)

    def _put_back(self, run: Run) -> Outcome:
        assert self._cell is not None
        self._cell.mailbox.repeat(run)
        return Skipped()  # which is not handed in: the run counts as ended


def asked_of(run: Run) -> Perform:
    """Return what a process is told of a run.

    Raises:
        NotEncodable: the arguments of a local task cannot be pickled.
    """
    root = run.tree.task
    if run.local is None:
        return Perform(run.tree.delivery.body)
    slim = msgspec.structs.replace(root, args=(), kwargs={}, pickled=None)
    return Perform(None, carried(run.task), slim, run.path)
