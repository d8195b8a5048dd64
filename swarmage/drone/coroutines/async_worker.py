"""Workers that perform coroutines: pykka actors on the event loop of their cell.

From: local_queue.  To: async_execution, then finalize through the drone's mailbox.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Sequence
from typing import Any, ClassVar

from swarmage.drone.coroutines.async_execution import perform
from swarmage.drone.coroutines.async_inbox import AsyncInbox
from swarmage.drone.coroutines.async_lending import Lending, resolve
from swarmage.drone.coroutines.async_slot import Slot
from swarmage.drone.messages import Envelope
from swarmage.drone.run import Run
from swarmage.drone.worker import Worker
from swarmage.errors import ConfigError
from swarmage.outcome import Failed, Failure, Outcome

CANCELLED = Failed(Failure("CancelledError", "its asyncio task was cancelled before it began"))
BURST = 64
"""Tasks taken under one lock: more gain nothing, and hold up what else the loop has to do."""


class AsyncWorker(Lending, Worker):
    """Performs many tasks at once, as coroutines on the one event loop of its drone.

    Subclass it and declare coroutine functions or async generators with `ability`. Each drone has one actor of the
    class, with a slot for each task that it performs at once; an empty slot takes no memory. A coroutine that awaits
    a local task lends its slot meanwhile, so that a cell in which everybody waits goes on.

    `on_start`, `on_stop`, `on_receive` and what is called through a pykka proxy may be coroutine functions, too.

    Attributes:
        concurrency: how many tasks of this class each drone performs at once.
    """

    concurrency: ClassVar[int] = 1000
    most_concurrency: ClassVar[int] = 100_000
    on_loop: ClassVar[bool] = True

    actor_inbox: AsyncInbox

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"concurrency": type(self).concurrency, **settings})
        self._slots = set()
        self._most = self._cell.slots if self._cell is not None else 0
        self._lent = 0
        self._started = False
        self._leaving = False
        self._empty: asyncio.Future[None] | None = None  # who leaves waits here until the last task has ended
        self._aborted = False
        self._task: asyncio.Task[None] | None = None  # starting, then listening to messages

    def _give_up(self) -> None:
        """Hand in nothing: the coroutines of a dead worker go on, and end as they would have."""

    # hooks, which may be coroutine functions

    def on_start(self) -> Any:
        """Prepare, on the loop, before the first task."""

    def on_stop(self) -> Any:
        """Clean up, on the loop, after the last task."""

    def on_failure(self, *_: Any) -> Any:
        """Clean up when a message that nobody awaits an answer to has raised: the worker is replaced."""

    # what pykka calls

    def _create_actor_inbox(self) -> Any:  # type: ignore[override]  # as in Worker
        if self._cell is None or self._cell.loop is None:
            return super()._create_actor_inbox()
        return AsyncInbox(self._cell.mailbox, self.abilities, self._cell.loop, self._attend)

    def _start_actor_loop(self) -> None:
        if not isinstance(self.actor_inbox, AsyncInbox):
            self._retire()
            raise ConfigError(f"{type(self).__qualname__} needs an event loop: give it to a Drone, which has one")
        self._loop.call(self._begin)

    def _begin(self) -> None:
        self._task = self._loop.asyncio.create_task(self._start())

    async def _start(self) -> None:
        self._loop.residents.add(self)
        try:
            await _settled(self.on_start())
        except BaseException as error:  # noqa: BLE001 - as with threads: who started it says so, and nobody else stops
            self._life.fail(error)
            self._retire()
            self._depart()
        else:
            self._life.begin()
        self._started = True
        self._task = None
        self.actor_inbox.ring()

    def _stop(self) -> Any:
        return self._leave()

    async def _leave(self) -> None:
        """Take no more tasks, end those begun, stop."""
        self._leaving = True
        await self._emptied()
        self._retire()
        try:
            await _settled(self.on_stop())
        except BaseException:  # noqa: BLE001 - as pykka does
            self._handle_failure(*sys.exc_info())

    async def _emptied(self) -> None:
        if self._slots:
            self.actor_inbox.ring()  # what it performs may wait for local tasks that nobody else takes
            self._empty = self._loop.asyncio.create_future()
            await self._empty

    def _depart(self) -> None:
        self._actor_loop_teardown()
        self._loop.part(self)
        self._end_life()

    def _abort(self) -> None:
        """Cancel what is being performed; it is not handed in, so that the bus gives it to somebody else."""
        self._aborted = True
        for slot in tuple(self._slots):
            assert slot.performing is not None
            slot.performing.cancel("the drone stops, and its time to drain is over")
            if not slot.begun:
                self._vacate(slot, CANCELLED)  # its coroutine never will, and so cannot say that it has ended

    def _resize(self, slots: int) -> None:
        """Perform so many tasks at once from now on; those that are more finish. Called by the drone."""
        self._most = slots
        self.actor_inbox.ring()

    def _cancel(self, task_id: str) -> bool:
        """See `Performing._cancel`: the coroutine gets CancelledError where it awaits."""
        if any(run.tree.task.id == task_id for run in self.current_runs):
            self._loop.call(lambda: self._cancel_here(task_id))
            return True
        return False

    def _cancel_here(self, task_id: str) -> None:
        assert self._cell is not None
        for slot in tuple(self._slots):
            if slot.run.tree.task.id == task_id:
                slot.cancel(self._cell.clock.monotonic())

    def stack_of(self, run: Run) -> str:
        """See `Performing.stack_of`: where the coroutine awaits."""
        for slot in tuple(self._slots):
            if slot.run is run and slot.performing is not None:
                lines = (
                    f'  File "{frame.f_code.co_filename}", line {frame.f_lineno}, in {frame.f_code.co_name}\n'
                    for frame in slot.performing.get_stack()
                )
                return "".join(lines)
        return ""

    def _sweep(self) -> None:
        """Hand in what was cancelled before its coroutine began, by a task that cancels whatever it finds."""
        for slot in tuple(self._slots):
            assert slot.performing is not None
            if slot.performing.done():
                self._vacate(slot, CANCELLED)

    def pass_on(self) -> None:
        """Leave a wake-up to the next worker while the loop is held up, and look again when it is not."""
        self.actor_inbox.pass_on()
        self.actor_inbox.ring()

    # messages

    async def _listen(self) -> None:
        """Act on messages to the worker itself, one at a time, while tasks go on."""
        inbox = self.actor_inbox
        while inbox.letters and not self.actor_stopped.is_set():
            await self._receive(inbox.get())
        if self.actor_stopped.is_set():
            await self._emptied()
            self._depart()
        self._task = None
        inbox.ring()  # a message may have come with the last look

    async def _receive(self, envelope: Envelope) -> None:
        try:
            response = await _settled(self._handle_receive(envelope.message))
        except BaseException as error:  # noqa: BLE001 - pykka would stop every actor of the process on SystemExit
            if envelope.reply_to is not None:
                envelope.reply_to.set_exception((type(error), error, error.__traceback__))
                return
            self._handle_failure(type(error), error, error.__traceback__)
            try:
                await _settled(self.on_failure(type(error), error, error.__traceback__))
            except BaseException:  # noqa: BLE001 - as above
                self._handle_failure(*sys.exc_info())
        else:
            if envelope.reply_to is not None:
                envelope.reply_to.set(response)

    # tasks

    def _attend(self) -> None:
        """Look at what has come: messages, and tasks for which there are slots. Called on the loop."""
        inbox = self.actor_inbox
        if not self._started:
            return  # it looks when it has
        if inbox.letters and self._task is None:
            self._task = self._loop.asyncio.create_task(self._listen())
        assert self._cell is not None
        free = self._most - len(self._slots) + self._lent
        if free <= 0 or self.actor_stopped.is_set() or (self._leaving and not self._lent):
            inbox.pass_on()
            return
        runs = inbox.take_many(min(free, BURST), newest=self._lent > 0, bus=not self._leaving)
        self._occupy(runs)
        if not inbox.idle and free > len(runs):
            inbox.ring()

    def _occupy(self, runs: Sequence[Run]) -> None:
        """Begin each task in a slot of its own."""
        assert self._cell is not None
        loop = self._loop.asyncio
        for run in runs:
            name = run.task.task_class
            slot = Slot(run, self)
            self._slots.add(slot)
            work = perform(slot, self._arguments[name], self._methods[name], self.abilities[name], self._cell)
            slot.performing = asyncio.Task(work, loop=loop)

    def _vacate(self, slot: Slot, outcome: Outcome) -> None:
        """Hand in what was performed in a slot. Called on the loop."""
        self._slots.discard(slot)
        if not self._aborted:
            self._end(slot.run, outcome)
        if not self._slots and self._empty is not None:
            resolve(self._empty)
        if not self.actor_inbox.idle:
            self.actor_inbox.ring()


async def _settled(response: Any) -> Any:
    """Return what a hook or a message came to, which may be a coroutine."""
    return await response if inspect.iscoroutine(response) else response
