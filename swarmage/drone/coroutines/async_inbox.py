"""An AsyncWorker's view on the Local Queue.

From: local_queue.  To: async_worker.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from swarmage.drone.coroutines.async_loop import EventLoop
from swarmage.drone.local_queue import Mailbox
from swarmage.drone.messages import WAKE, Envelope
from swarmage.drone.run import Run
from swarmage.drone.worker_inbox import WorkerInbox


class AsyncInbox(WorkerInbox):
    """The pykka inbox of an AsyncWorker: what is put into it has the worker look, on the loop.

    Attributes:
        letters: messages to the worker itself.
        idle: the mailbox will wake the worker when there is more to do. Owned by the loop's thread.
    """

    __slots__ = ("_attend", "_loop", "_rung", "idle", "letters")

    def __init__(
        self, mailbox: Mailbox, task_classes: Iterable[str], loop: EventLoop, attend: Callable[[], None]
    ) -> None:
        super().__init__(mailbox, task_classes)
        self.private: Any = self  # where the mailbox puts a wake-up
        self.letters: deque[Envelope] = deque()
        self.idle = False
        self._loop = loop
        self._attend = attend
        self._rung = False

    def put(self, envelope: Envelope, /) -> None:
        """Take in a message to this worker itself, or a wake-up."""
        if envelope is not WAKE:
            self.letters.append(envelope)
        self.ring()

    def ring(self) -> None:
        """Have the worker look, soon and once."""
        if not self._rung:
            self._rung = True
            self._loop.call(self._look)

    def _look(self) -> None:
        self._rung = False  # before looking: who puts something in after this rings again
        self._attend()

    def empty(self) -> bool:
        """Say whether there is no message to this worker itself."""
        return not self.letters

    def get(self) -> Any:
        """Return the next message to this worker itself."""
        return self.letters.popleft()

    def take_many(self, most: int, *, newest: bool, bus: bool) -> list[Run]:
        """Return tasks, local ones first; if there are fewer than could be had the worker counts as idle.

        Args:
            most: how many at most.
            newest: the newest local tasks first, so that a tree is performed in depth and not in breadth.
            bus: tasks from the bus, too.
        """
        mailbox = self.mailbox
        runs: list[Run] = []
        with mailbox.lock:
            mailbox._arrived(self)
            for lane in self.lanes:
                local = lane.local
                while local and len(runs) < most:
                    runs.append(local.pop() if newest else local.popleft())
            for lane in self.lanes if bus else ():
                while len(runs) < most and (run := lane.pop()) is not None:
                    runs.append(run)
            self.ticket += 1
            self.idle = len(runs) < most
            for lane in self.lanes:
                if self.idle:
                    (lane.idle if bus else lane.helpers)[self] = self.ticket
                if lane.waking is None and (lane.local or lane.bus):
                    lane.wake()
        self.lanes = self.lanes[1:] + self.lanes[:1]  # so that no task class comes last for ever
        return runs

    def pass_on(self) -> None:
        """Leave a wake-up to the next worker, because this one has no room."""
        self.idle = False
        self.mailbox.forget(self)

    def close(self) -> None:
        """Take no more tasks."""
        self.pass_on()
        self.lanes = ()
