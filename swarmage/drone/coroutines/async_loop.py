"""The event loop of a cell: one thread in which all coroutines of its workers run.

From: crew.  To: async_worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from typing import Protocol

from swarmage.drone.coroutines.async_slot import running_at

logger = logging.getLogger("swarmage.drone")

HELD_UP = 1.0
"""Seconds the loop may be held up by one piece of Python before that is told."""
LOOK_SECONDS = 0.5
"""Seconds between two looks whether the loop is held up."""
STOP_SECONDS = 3.0
"""What cancelled coroutines get to end in; less than a drone gets to leave the bus in before it is killed."""
AGAIN = 1.0
"""Seconds until a coroutine that has caught its cancellation is cancelled again."""
MOST_UNTOLD = 1000
"""Messages such as progress that may wait for the bus to take them; more are dropped."""


class Resident(Protocol):
    """Who lives on the loop."""

    def _abort(self) -> None:
        """Cancel what still runs. Called on the loop."""
        ...

    def _sweep(self) -> None:
        """Look for what ended without saying so. Called on the loop, twice a second."""
        ...

    def pass_on(self) -> None:
        """Leave to others what this one was woken for, and cannot take while the loop is held up. Any thread."""
        ...


class EventLoop:
    """An asyncio event loop in a thread of its own, which nothing that runs on it can end.

    Attributes:
        residents: who lives on it; owned by the loop's thread.
        context: what the loop's own callbacks run in: what is scheduled from inside a task must not see its variables.
    """

    def __init__(self) -> None:
        self.residents: set[Resident] = set()
        self._loop = asyncio.new_event_loop()
        self.context = Context()
        self._thread = threading.Thread(target=self._run, name="event loop", daemon=True)
        self._stopping = False
        self._parted: asyncio.Future[None] | None = None
        self._teller: ThreadPoolExecutor | None = None
        self._untold = 0
        self._asked = 0.0  # when the drone last asked the loop for a sign of life
        self._answered = True
        self._told = False  # that it is held up

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Cancel what still runs, and return when its ``finally`` blocks have run, or `STOP_SECONDS` later."""
        if self._stopping:
            return
        self._stopping = True
        self.call(self._begin_to_wind_up)
        self._thread.join(STOP_SECONDS + AGAIN)
        if self._thread.is_alive():
            logger.warning("the event loop has not ended in %.0f s and is left behind", STOP_SECONDS + AGAIN)
        if self._teller is not None:
            self._teller.shutdown(wait=False, cancel_futures=True)

    # for those who live on it

    @property
    def here(self) -> bool:
        """Whether the caller is on the loop."""
        return threading.get_ident() == self._thread.ident

    @property
    def asyncio(self) -> asyncio.AbstractEventLoop:
        """The loop itself."""
        return self._loop

    def call(self, callback: Callable[[], object]) -> None:
        """Have something called on the loop, from any thread; not any more when it has ended."""
        if threading.get_ident() == self._thread.ident:
            self._loop.call_soon(callback, context=self.context)
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed: whom it concerns has ended with it
            self._loop.call_soon_threadsafe(callback, context=self.context)

    def part(self, resident: Resident) -> None:
        """Count somebody as gone. Called on the loop."""
        self.residents.discard(resident)
        if not self.residents and self._parted is not None and not self._parted.done():
            self._parted.set_result(None)

    def tell(self, write: Callable[[], object]) -> None:
        """Have something written that may be lost, in a thread, for the bus may keep it waiting. Called on the loop."""
        if self._untold >= MOST_UNTOLD or self._stopping:
            return
        if self._teller is None:
            self._teller = ThreadPoolExecutor(1, "progress")
        self._untold += 1
        self._teller.submit(self._write, write)

    def _write(self, write: Callable[[], object]) -> None:
        try:
            write()
        finally:
            self.call(self._count_told)

    def _count_told(self) -> None:
        self._untold -= 1

    # the thread

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        while True:
            try:
                self._loop.run_forever()
            except BaseException as error:  # noqa: BLE001 - asyncio lets a SystemExit of any coroutine end the loop
                logger.warning("%s was raised in a coroutine of its own; the event loop goes on", type(error).__name__)
                continue
            break
        self._loop.close()

    def _begin_to_wind_up(self) -> None:
        self._winding_up = self._loop.create_task(self._wind_up())

    async def _wind_up(self) -> None:
        deadline = self._loop.time() + STOP_SECONDS
        while self.residents and (left := deadline - self._loop.time()) > 0:
            self._parted = self._loop.create_future()
            for resident in tuple(self.residents):
                resident._abort()
            await asyncio.wait([self._parted], timeout=min(left, AGAIN))
        others = asyncio.all_tasks() - {self._winding_up}
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others, timeout=max(deadline - self._loop.time(), 0.1))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await self._loop.shutdown_asyncgens()
        self._loop.stop()

    # the watch

    def look(self, now: float) -> None:
        """Tell, once, what holds up the loop. Called by the drone at each tick."""
        if self._answered:
            if now - self._asked < LOOK_SECONDS:
                return
            if self._told:
                logger.warning("the event loop goes on after %.1f s", now - self._asked)
            self._asked, self._answered, self._told = now, False, False
            self.call(self._answer)
        elif now - self._asked >= HELD_UP and not self._told:
            self._told = True
            self._tell_of(now - self._asked)
            for resident in tuple(self.residents):
                resident.pass_on()

    def _answer(self) -> None:
        self._answered = True
        for resident in tuple(self.residents):
            resident._sweep()

    def _tell_of(self, seconds: float) -> None:
        frame = sys._current_frames().get(self._thread.ident or 0)
        stack = "".join(traceback.format_stack(frame)) if frame is not None else "it has ended\n"
        logger.warning(
            "the event loop has been held up for %.1f s by %s; all its coroutines wait. Await what takes time, or move"
            " it to a Worker in a thread:\n%s",
            seconds,
            running_at(frame),
            stack.rstrip(),
        )
