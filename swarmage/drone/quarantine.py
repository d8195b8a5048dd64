"""Performing alone what may kill its process, so that a crash is certainly its own and takes nothing else along.

From: intake.  To: local_queue.

A task that the bus delivers again was held by a drone that was lost: it may have killed it, or have stood beside one
that did. It becomes a suspect. A drone performs a suspect when nothing else runs there, and holds nothing else
meanwhile; so what the bus counts from then on, deliveries that ended without an answer, are crashes of this one task.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from swarmage.bus import frames
from swarmage.bus.connection import Connection
from swarmage.drone.cell import Cell
from swarmage.drone.run import Run
from swarmage.drone.subscribing import Subscribing
from swarmage.errors import BusError
from swarmage.wire.names import kind_of

logger = logging.getLogger("swarmage.drone")

ALONE = "suspect"
"""The reason for which nothing is taken beside one."""

PATIENCE = 10.0
"""Seconds to wait for what already runs to end; then the suspect is begun beside it, and nothing else is."""
RECEIPT_TIMEOUT = 5.0
"""Seconds; a bus that takes longer to confirm is looked at again at the next tick."""


class Quarantine:
    """The suspect of one drone, if it has one. Owned by the drone's thread."""

    def __init__(self, cell: Cell, subscribing: Subscribing, tell: Callable[[str], None]) -> None:
        """Begin without a suspect.

        Args:
            cell: the drone's.
            subscribing: what is paused meanwhile.
            tell: told what runs alone when it is begun, and an empty text when it has ended.
        """
        self._cell = cell
        self._mailbox = cell.mailbox
        self._bus = cell.bus
        self._clock = cell.clock
        self._subscribing = subscribing
        self._tell = tell
        self._run: Run | None = None
        self._begun = False
        self._since = 0.0

    def admit(self, run: Run) -> None:
        """Take a suspect in, if there is none yet and its class is taken; else it goes back for others or later."""
        task = run.task
        paused = (task.task_class if task.key is None else kind_of(task.task_class)) in self._subscribing.paused
        if self._run is not None or paused or not self._mailbox.accepting:
            self._bus.give_back([run.tree.delivery])
            return
        self._run, self._begun, self._since = run, False, self._clock.monotonic()
        self._subscribing.spared = run
        for task_class in self._subscribing.task_classes:
            self._subscribing.pause(task_class, ALONE)
        self.look()

    def look(self) -> None:
        """Begin the suspect if nothing else runs any more; let others in again when it has ended."""
        run = self._run
        if run is None:
            return
        if self._begun:
            if not self._mailbox.is_here(run.task.id):
                self._leave()
            return
        late = self._clock.monotonic() - self._since > PATIENCE
        if (self._mailbox.open_trees == 0 or late) and self._holds_nothing_else(run.tree.delivery.connection):
            self._begin(run)

    def _holds_nothing_else(self, connection: Connection) -> bool:
        """Return when the bus has taken in what was given back: a crash would count for it otherwise."""
        try:
            for _ in range(2):  # what was on its way has come with the first receipt, and has gone back by the second
                number, receipt = connection.receipts.expect()
                begin = frames.encode("BEGIN", {"transaction": f"quarantine-{number}"})
                connection.write(
                    begin, frames.encode("ABORT", {"transaction": f"quarantine-{number}", "receipt": number})
                )
                if not receipt.wait(RECEIPT_TIMEOUT):
                    connection.receipts.forget(number)
                    return False
        except BusError:
            return False  # lost, of which the drone is told, too
        return True

    def _begin(self, run: Run) -> None:
        name = f"{run.task.task_class} {run.task.id}"
        logger.warning("task %s is performed alone, because a drone was lost while it was there", name)
        self._begun = True
        self._tell(name)
        self._mailbox.put_runs((run,))
        if self._mailbox.trees.get(run.task.id) is not run.tree:
            self._leave()  # it runs here already, from a connection that was lost since

    def _leave(self) -> None:
        if self._begun:
            self._tell("")
        self._run = self._subscribing.spared = None
        for task_class in self._subscribing.task_classes:
            self._subscribing.resume(task_class, ALONE)

    def forget(self, connection: Connection) -> None:
        """Forget a suspect that was not begun before its connection was lost: the bus delivers it again."""
        run = self._run
        if run is not None and not self._begun and run.tree.delivery.connection is connection:
            self._leave()

    def close(self) -> None:
        """Give back a suspect that was not begun, because the drone stops."""
        run = self._run
        if run is not None and not self._begun:
            self._run = None
            self._bus.give_back([run.tree.delivery])
