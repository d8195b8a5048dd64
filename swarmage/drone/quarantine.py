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
from swarmage.drone.messages import Echo, Letter, Suspect, Suspected
from swarmage.drone.run import Run
from swarmage.drone.subscribing import Subscribing
from swarmage.errors import BusError
from swarmage.wire.names import kind_of

logger = logging.getLogger("swarmage.drone")

ALONE = "suspect"
"""The reason for which nothing is taken beside one."""

PATIENCE = 10.0
"""Seconds to wait for what already runs to end; then the suspect is begun beside it, and nothing else is."""
AGAIN = 1.0
SPACING = 0.5
"""Seconds until a suspect that cannot be performed now comes again, where the bus takes nothing back, and how much
later each one comes that is sent away meanwhile: or many would never leave the drone quiet."""
QUIET = 0.3
"""Seconds without another suspect, after which there is none in this drone but the one that is to begin."""
RECEIPT_TIMEOUT = 5.0
"""Seconds; a bus that takes longer to confirm is looked at again at the next tick."""


class Quarantine:
    """The suspect of one drone, if it has one. Owned by the drone's thread."""

    def __init__(
        self,
        cell: Cell,
        subscribing: Subscribing,
        tell: Callable[[str], None],
        send_again: Callable[[Suspected], None] = lambda suspected: None,
    ) -> None:
        """Begin without a suspect.

        Args:
            cell: the drone's.
            subscribing: what is paused meanwhile.
            tell: told what runs alone when it is begun, and an empty text when it has ended.
            send_again: takes a suspect that the bus does not take back: a copy counts anew, the same again would count
                a drone that was not lost.
        """
        self._cell = cell
        self._mailbox = cell.mailbox
        self._bus = cell.bus
        self._clock = cell.clock
        self._subscribing = subscribing
        self._tell = tell
        self._send_again = send_again
        self._run: Run | None = None
        self._begun = self._asked = self._heard = False
        self._since = self._arrived = 0.0
        self._sent_away = 0

    def hear(self, message: Suspect | Echo) -> None:
        """Take in what the drone was told."""
        if isinstance(message, Suspect):
            self.admit(message.run)
        elif message.run is self._run:
            self._heard = True
            self.look()

    def admit(self, run: Run) -> None:
        """Take a suspect in, if there is none yet and its class is taken; else it goes back for others or later."""
        self._arrived = self._clock.monotonic()
        task = run.task
        paused = (task.task_class if task.key is None else kind_of(task.task_class)) in self._subscribing.paused
        if self._run is not None or paused or not self._mailbox.accepting:
            self._give_back(run)
            return
        self._run, self._since = run, self._clock.monotonic()
        self._begun = self._asked = self._heard = False
        self._sent_away = 0
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
        if (self._mailbox.open_trees == 0 or late) and self._holds_nothing_else(run):
            self._begin(run)

    def _holds_nothing_else(self, run: Run) -> bool:
        """Say whether the bus has taken in what was given back: a crash would count for it otherwise.

        What was on its way has come with a first receipt, as letters behind which `Echo` comes; when that is heard,
        all of it has gone back, by a second receipt.
        """
        if not self._bus.dialect.gives_back:  # tasks that wait beside it do no harm, suspects would count a crash
            return self._clock.monotonic() - self._arrived > QUIET and self._bus.steps.wait(0)
        if (self._asked and not self._heard) or not self._is_up_to_date(run.tree.delivery.connection):
            return False
        if not self._asked:
            self._asked = True
            self._mailbox.put(Letter(Echo(run)))
        return self._heard

    def _is_up_to_date(self, connection: Connection) -> bool:
        """Wait until the bus has taken in all that was written, and we all that it had written then."""
        try:
            number, receipt = connection.receipts.expect()
            begin = frames.encode("BEGIN", {"transaction": f"quarantine-{number}"})
            connection.write(begin, frames.encode("ABORT", {"transaction": f"quarantine-{number}", "receipt": number}))
            if receipt.wait(RECEIPT_TIMEOUT):
                return True
            connection.receipts.forget(number)
        except BusError as error:
            logger.debug("the suspect waits: %s", error)  # lost, of which the drone is told, too
        return False

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
            self._give_back(run)

    def _give_back(self, run: Run) -> None:
        if self._bus.dialect.gives_back:
            self._bus.give_back([run.tree.delivery])
        else:
            self._send_again(Suspected(run.tree.delivery, run.task, AGAIN + SPACING * self._sent_away))
            self._sent_away += 1
