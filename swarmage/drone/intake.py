"""Taking in what the bus delivers: check, read, put into the Local Queue.

From: bus.  To: local_queue.

Runs in the bus's reading thread, all deliveries of one read at a time, so it neither raises nor waits.
"""

from __future__ import annotations

from swarmage.bus.delivery import Delivery
from swarmage.clock import Clock
from swarmage.drone.local_queue import Mailbox
from swarmage.drone.messages import CANCEL_FAILURE, CANCELLED, Letter, Run, Tree, Unread
from swarmage.drone.standing import NONE, Standing
from swarmage.errors import BadSignature, Unreadable
from swarmage.outcome import Failure
from swarmage.wire.envelope import Wire
from swarmage.wire.signing import HEADER

MOST_DELIVERIES = 20
"""How often a task may come back without an ack before it counts as one that kills whoever takes it."""


class Intake:
    """The way in for one subscription."""

    def __init__(
        self, mailbox: Mailbox, wire: Wire, clock: Clock, *, extra: bool = False, standing: Standing = NONE
    ) -> None:
        self._mailbox = mailbox
        self._wire = wire
        self._clock = clock
        self._extra = extra
        self._standing = standing

    def receive(self, deliveries: list[Delivery]) -> None:
        """Put what can be read into the lanes, under one lock, and tell the drone of the rest."""
        runs = []
        now = self._clock.wall()
        for delivery in deliveries:
            read = self._read(delivery, now)
            if type(read) is Run:
                runs.append(read)
            else:
                self._mailbox.put(Letter(read))
        if runs:
            self._mailbox.put_runs(runs)

    def _read(self, delivery: Delivery, now: float) -> Run | Unread:
        headers = delivery.headers
        try:
            task = self._wire.read_task(headers["destination"], delivery.body, headers.get(HEADER))
        except BadSignature as error:
            return Unread(delivery, "signature", Failure("BadSignature", str(error)))
        except Unreadable as error:
            return Unread(delivery, "unreadable", Failure("Unreadable", str(error)))
        if task.expires is not None and now > task.issued + task.expires:
            late = f"not begun within {task.expires:g} s of its insert"
            return Unread(delivery, "expired", Failure("Expired", late), task)
        if self._standing.cancelled and self._standing.cancelled.get(task.id, 0.0) > now:
            return Unread(delivery, CANCELLED, CANCEL_FAILURE, task)
        often = "delivery-count" in headers and delivery.earlier >= MOST_DELIVERIES
        if often and not self._mailbox.is_here(task.id):  # one that runs here has lost connections, and no drone
            lost = f"delivered {delivery.earlier} times, and each time the drone was lost before it could answer"
            return Unread(delivery, "crashed", Failure("Crashed", lost), task)
        return Run(task, Tree(delivery, task), extra=self._extra)
