"""A worker's view on the Local Queue.

From: local_queue.  To: worker.
"""

from __future__ import annotations

from collections.abc import Iterable
from queue import Empty, SimpleQueue
from typing import Any

from swarmage.drone.lane import Lane
from swarmage.drone.local_queue import Mailbox
from swarmage.drone.messages import WAKE, Envelope


class WorkerInbox:
    """A worker's pykka inbox: its own messages first, then tasks from the lanes of its abilities."""

    __slots__ = ("lanes", "mailbox", "private", "ticket", "woken_by")

    def __init__(self, mailbox: Mailbox, task_classes: Iterable[str]) -> None:
        self.mailbox = mailbox
        self.private: SimpleQueue[Any] = SimpleQueue()
        self.ticket = 0  # an entry in a lane's idle or helpers is valid while it carries this number
        self.woken_by: Lane | None = None
        with mailbox.lock:
            self.lanes = tuple(mailbox.lanes.setdefault(name, Lane()) for name in task_classes)

    def took_from(self, lane: Lane) -> None:
        """Look there last next time, so that no task class waits for the end of another one."""
        lanes = self.lanes
        if lanes[-1] is not lane:
            place = lanes.index(lane) + 1
            self.lanes = lanes[place:] + lanes[:place]

    def put(self, envelope: Envelope, /) -> None:
        """Take in a message to this worker itself."""
        self.private.put(envelope)

    def empty(self) -> bool:
        """Say whether there is no message to this worker itself."""
        return self.private.empty()

    def get(self) -> Any:
        """Return the next message or task; sleeps until there is one."""
        private, take = self.private, self.mailbox.take
        if private.empty():  # and nobody counts this worker as idle
            run = self.mailbox.take_at_once(self)
            if run is not None:
                return run
        while True:
            if private.empty():
                run = take(self)
                if run is not None:
                    return run
            envelope = private.get()
            if envelope is not WAKE:
                self.mailbox.forget(self)
                return envelope

    def wait(self, timeout: float) -> Envelope | None:
        """Sleep until woken; a message to the worker that comes meanwhile is returned for later."""
        try:
            envelope = self.private.get(timeout=timeout)
        except Empty:
            return None
        return None if envelope is WAKE else envelope

    def wake(self) -> None:
        """Wake a worker that waits for a local task."""
        self.private.put(WAKE)

    def close(self) -> None:
        """Take no more tasks, so that pykka's last look into the inbox finds only messages."""
        self.mailbox.forget(self)
        self.lanes = ()
        kept = []
        while not self.private.empty():
            kept.append(self.private.get())
        for envelope in kept:
            if envelope is not WAKE:
                self.private.put(envelope)
