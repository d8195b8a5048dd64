"""Taking in what the bus delivers: check, read, put into the Local Queue.

From: bus.  To: local_queue.

Runs in the bus's reading thread, all deliveries of one read at a time, so it neither raises nor waits.
"""

from __future__ import annotations

import msgspec

from swarmage.bus.delivery import Delivery
from swarmage.clock import Clock
from swarmage.drone.local_queue import Mailbox
from swarmage.drone.messages import CANCEL_FAILURE, CANCELLED, EXPIRED, Letter, Suspect, Suspected, Unread
from swarmage.drone.run import Run, Tree
from swarmage.drone.standing import NONE, Standing
from swarmage.errors import BadSignature, Unreadable
from swarmage.outcome import Failure
from swarmage.task import Task
from swarmage.wire.envelope import Wire
from swarmage.wire.signing import HEADER

IN_COMPANY = 2
"""Losses of its drone together with other tasks that make a task a suspect, where its cap allows more than that. The
first one tells little: somebody killed a drone, or another task did, and performing all of them alone takes long."""


class Intake:
    """The way in for one subscription."""

    def __init__(
        self,
        mailbox: Mailbox,
        wire: Wire,
        clock: Clock,
        *,
        extra: bool = False,
        crashes: int | None = None,
        standing: Standing = NONE,
    ) -> None:
        """Begin with nothing.

        Args:
            mailbox: where tasks go.
            wire: reads them.
            clock: says which come too late.
            extra: whether this is the extra subscription of a quick task class.
            crashes: how often a drone may be lost with a task of this class; None = any number.
            standing: says which are cancelled.
        """
        self._mailbox = mailbox
        self._wire = wire
        self._clock = clock
        self._extra = extra
        self._crashes = crashes
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

    def _read(self, delivery: Delivery, now: float) -> Run | Unread | Suspected | Suspect:  # noqa: PLR0911 - one a line
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
        if task.deadline is not None and now >= task.deadline:
            return Unread(delivery, EXPIRED.reason, EXPIRED.failure, task)
        if self._standing.cancelled and self._standing.cancelled.get(task.id, 0.0) > now:
            return Unread(delivery, CANCELLED, CANCEL_FAILURE, task)
        if task.suspect or "delivery-count" in headers:
            return self._judge(delivery, task)
        return Run(task, Tree(delivery, task), extra=self._extra)

    def _judge(self, delivery: Delivery, task: Task) -> Run | Unread | Suspected | Suspect:
        """Decide about a task with which a drone was lost: once in company, or since then alone."""
        cap, alone = self._crashes, delivery.earlier
        if cap is None or self._mailbox.is_here(task.id):  # one that runs here has lost connections, and no drone
            return Run(task, Tree(delivery, task), extra=self._extra)
        company = 1 if cap <= IN_COMPANY else IN_COMPANY
        if not task.suspect:
            return Run(task, Tree(delivery, task), extra=self._extra) if alone < company else Suspected(delivery, task)
        crashes = task.crashes + alone
        if alone and crashes + company >= cap:  # and those in company that made it a suspect
            died = f"its drone died {crashes + company} times while it was there, at last with nothing else running"
            task = msgspec.structs.replace(task, crashes=crashes + company)
            return Unread(delivery, "crashed", Failure("Crashed", died), task)
        task = msgspec.structs.replace(task, crashes=crashes, suspect=False)
        return Suspect(Run(task, Tree(delivery, task), extra=self._extra))
