"""Taking in what the bus delivers: check, read, put into the Local Queue.

From: bus.  To: local_queue.

Runs in the bus's reading thread, all deliveries of one read at a time, so it neither raises nor waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

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

UNCOUNTED = 3
"""The same where the bus does not count: RabbitMQ says of all that waits in its classic queues when it is killed that
it may have been delivered, so that it needs several of these to make a suspect."""
SETTLED = 1.0
"""Seconds until such a copy comes: what it was made of is acknowledged by then, or a poison would double itself."""
IN_COMPANY = 2
"""Losses of its drone together with other tasks that make a task a suspect, where its cap allows more than that. The
first one tells little: somebody killed a drone, or another task did, and performing all of them alone takes long."""


class Intake:
    """The way in for one subscription.

    Attributes:
        heard: something has come since somebody made it False.
        probed: answers a message that is a probe and no task, and says whether it is one.
        outlived: says how many connections this drone has lost, and outlived, since a time on the wall.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        wire: Wire,
        clock: Clock,
        *,
        extra: bool = False,
        crashes: int | None = None,
        standing: Standing = NONE,
        counted: bool = True,
        put_runs: Callable[[Iterable[Run]], None] | None = None,
    ) -> None:
        """Begin with nothing.

        Args:
            mailbox: where tasks go.
            wire: reads them.
            clock: says which come too late.
            extra: whether this is a subscription for extra credit.
            crashes: how often a drone may be lost with a task of this class; None = any number.
            standing: says which are cancelled.
            counted: whether the bus says how often a drone was lost with a task, not only that one was.
            put_runs: takes what can be performed, instead of the mailbox.
        """
        self.heard = False
        self._mailbox = mailbox
        self._wire = wire
        self._clock = clock
        self._extra = extra
        self._crashes = crashes
        self._standing = standing
        self._counted = counted
        self._forgiven = 1 if put_runs is not None else 0  # it may only have stood beside the one that was performed
        self._put_runs = put_runs
        self.probed: Callable[[Delivery], bool] = lambda delivery: False
        self.outlived: Callable[[float], int] = lambda since: 0

    def receive(self, deliveries: list[Delivery]) -> None:
        """Put what can be read into the lanes, under one lock, and tell the drone of the rest."""
        self.heard = True
        runs = []
        now = self._clock.wall()
        for delivery in deliveries:
            read = self._read(delivery, now)
            if type(read) is Run:
                runs.append(read)
            elif not (type(read) is Unread and read.reason == "unreadable" and self.probed(delivery)):
                self._mailbox.put(Letter(read))
        if runs:
            (self._put_runs or self._mailbox.put_runs)(runs)

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
        cap, alone, outlived = self._crashes, delivery.earlier, self.outlived(task.issued)
        if self._counted:
            alone, outlived = max(0, alone - outlived), 0
        if cap is None or self._mailbox.is_here(task.id):  # one that runs here has lost connections, and no drone
            return Run(task, Tree(delivery, task), extra=self._extra)
        company = 1 if cap <= IN_COMPANY else IN_COMPANY
        if not task.suspect:
            return self._in_company(delivery, task, company, alone, outlived)
        crashes = task.crashes + alone
        deaths = crashes + company  # and those in company that made it a suspect
        if alone and deaths >= cap + self._forgiven + outlived:
            died = f"its drone died {deaths} times while it was there, at last with nothing else running"
            task = msgspec.structs.replace(task, crashes=deaths)
            return Unread(delivery, "crashed", Failure("Crashed", died), task)
        if alone and not self._counted:  # so the count travels in the task
            return Suspected(delivery, msgspec.structs.replace(task, crashes=crashes), SETTLED)
        task = msgspec.structs.replace(task, crashes=crashes, suspect=False)
        return Suspect(Run(task, Tree(delivery, task), extra=self._extra))

    def _in_company(self, delivery: Delivery, task: Task, company: int, lost: int, outlived: int) -> Run | Suspected:
        """Decide about a task with which a drone was lost that held others, too."""
        if self._counted:
            few = lost < company
            return Run(task, Tree(delivery, task), extra=self._extra) if few else Suspected(delivery, task)
        losses = task.losses + 1  # a copy carries the count, since the bus does not
        enough = losses >= (company if company == 1 else UNCOUNTED) + outlived
        return Suspected(delivery, msgspec.structs.replace(task, losses=losses), SETTLED, alone=enough)
