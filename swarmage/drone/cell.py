"""What a drone's workers share with it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from swarmage.bus.bus import Bus
from swarmage.clock import Clock
from swarmage.drone.local_queue import Mailbox
from swarmage.remote.remote import Remote
from swarmage.wire.envelope import Wire

if TYPE_CHECKING:
    from swarmage.drone.coroutines.async_loop import EventLoop


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The smallest unit of operation: one drone and its workers.

    Attributes:
        mailbox: the Local Queue.
        wire: writes what workers insert.
        bus: where progress goes at once; everything else goes through the drone.
        clock: where time comes from.
        loop: where coroutines are performed, for an AsyncWorker.
        remote: actors of other cells, for those of this one; None where there is no connection.
        slots: how many tasks at once the worker may perform, for an AsyncWorker.
    """

    mailbox: Mailbox
    wire: Wire
    bus: Bus
    clock: Clock
    loop: EventLoop | None = None
    remote: Remote | None = None
    slots: int = 1


starting: ContextVar[Cell | None] = ContextVar("starting", default=None)
"""The cell a drone is starting a worker for: a user's `__init__` need not know of it and pass it on."""
