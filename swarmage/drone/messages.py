"""What drones, workers and the local queue say to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from swarmage.bus.delivery import Delivery
from swarmage.outcome import Failure, Rejected
from swarmage.task import Task

if TYPE_CHECKING:
    from swarmage.drone.run import Run

CANCELLED = "cancelled"
"""The one reason that makes no dead letter."""

CANCEL_FAILURE = Failure("TaskCancelled", "it was cancelled before it had ended")

CANCELLATION = Rejected(CANCELLED, CANCEL_FAILURE)
"""The ending of a cancelled tree. Itself, and no other that looks like it: a task may give any reason."""

EXPIRED = Rejected("expired", Failure("Expired", "its deadline had passed before it was begun"))


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
        delay: seconds until it may come again.
        alone: it is to be performed alone from now on.
    """

    delivery: Delivery
    task: Task
    delay: float = 0.0
    alone: bool = True


class Suspect(NamedTuple):
    """To the drone: a task that is to be performed alone.

    Attributes:
        run: the task.
    """

    run: Run


class Echo(NamedTuple):
    """To the drone: all that it was told before its suspect was asked for has been heard.

    Attributes:
        run: the suspect.
    """

    run: Run


class Flush(NamedTuple):
    """To the drone: finished runs are waiting to be finalized."""


class Tick(NamedTuple):
    """To the drone: time has passed with nothing else to do, or an actor of its cell has begun or ended."""


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
