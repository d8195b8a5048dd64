"""How a coroutine waits for local tasks: it lends its slot to others meanwhile.

From: performing.  To: local_queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from swarmage.bus.connection import Connection
from swarmage.drone.cell import Cell
from swarmage.drone.coroutines.async_inbox import AsyncInbox
from swarmage.drone.coroutines.async_loop import EventLoop
from swarmage.drone.coroutines.async_slot import Slot, current
from swarmage.drone.performing import Performing
from swarmage.drone.run import Local, Run
from swarmage.drone.telling import PROGRESS_EVERY
from swarmage.errors import DeadlineExceeded, SwarmageError

MOST_LENT = 100_000
"""Slots of one worker that may be lent at a time: a recursion without an end must fail before memory ends."""
MARGIN = 5.0
"""Seconds that a thread waits longer for a coroutine than that waits itself."""


class Waiters:
    """The coroutines that wait for one local task."""

    __slots__ = ("_futures", "_loop")

    def __init__(self, loop: EventLoop) -> None:
        self._loop = loop
        self._futures: list[asyncio.Future[None]] = []

    def add(self) -> asyncio.Future[None]:
        """Return a future that is done when the local task has ended. Called on the loop."""
        future: asyncio.Future[None] = self._loop.asyncio.create_future()
        self._futures.append(future)
        return future

    def wake(self) -> None:
        """Have them look. Called by whoever ended the local task."""
        self._loop.call(self._tell)

    def _tell(self) -> None:
        for future in self._futures:
            resolve(future)


def resolve(future: asyncio.Future[None]) -> None:
    """End a wait, unless it has ended."""
    if not future.done():
        future.set_result(None)


class Lending(Performing):
    """The part of an AsyncWorker that its abilities use. Owned by the loop's thread."""

    _slots: set[Slot]
    _lent: int

    @property
    def current_runs(self) -> Sequence[Run]:
        """What is being performed; other threads may look."""
        return [slot.run for slot in tuple(self._slots)]

    @property
    def _loop(self) -> EventLoop:
        assert self._cell is not None
        assert self._cell.loop is not None
        return self._cell.loop

    def _slot(self) -> Slot:
        slot = current.get()
        if slot is None or slot.worker is not self or slot.run.ended:
            raise SwarmageError(
                f"{type(self).__qualname__} is not performing a task here: call this inside an ability, before it ends"
            )
        return slot

    def _current(self) -> tuple[Run, Cell]:
        slot = self._slot()
        assert self._cell is not None
        return slot.run, self._cell

    def _check_time(self, now: float) -> None:
        self._slot().check(now)

    def _pass_on(self, run: Run) -> None:
        assert self._cell is not None
        self._cell.mailbox.put_runs((run,))

    def _may_tell(self, now: float, last: bool) -> bool:
        slot = self._slot()
        if now - slot.told < PROGRESS_EVERY and not last:
            return False
        slot.told = now
        return True

    def _tell(self, connection: Connection, frame: bytes) -> None:
        self._loop.tell(partial(super()._tell, connection, frame))

    def _wait_for(self, local: Local, timeout: float) -> None:
        if local.outcome is not None:
            return
        if self._loop.here:
            raise SwarmageError(
                f"result() of local task {local.task_class} would hold up the event loop that is to perform it:"
                " await the handle instead"
            )
        waiting = asyncio.run_coroutine_threadsafe(self._await(local, timeout), self._loop.asyncio)
        waiting.result(timeout + MARGIN)

    async def _await(self, local: Local, timeout: float) -> None:
        slot = self._slot()
        waiters = local.wake
        if waiters is None:
            waiters = local.wake = Waiters(self._loop)
        ended = waiters.add()  # before looking: who ends the task sets the outcome first and looks for this then
        if local.outcome is not None:
            return
        timer = self._loop.asyncio.call_later(timeout, resolve, ended)
        self._lend(slot)
        try:
            await ended
        finally:
            timer.cancel()
            self._take_back(slot)
        if local.outcome is None:
            raise DeadlineExceeded(f"local task {local.task_class} has not ended in {timeout:.1f} s")

    def _lend(self, slot: Slot) -> None:
        """Count a slot as free while what it performs waits, so that what it waits for has one."""
        if slot.waits == 0:
            if self._lent >= MOST_LENT:
                raise SwarmageError(
                    f"{MOST_LENT} tasks of {type(self).__qualname__} wait for local tasks at once: is it a recursion"
                    " without an end?"
                )
            self._lent += 1
            inbox: AsyncInbox = self.actor_inbox  # type: ignore[attr-defined]  # the AsyncWorker is the actor
            inbox.ring()
        slot.waits += 1

    def _take_back(self, slot: Slot) -> None:
        slot.waits -= 1
        if slot.waits == 0:
            self._lent -= 1
