"""Spread::Queue's own words for what swarmage does: a Worker with one callback, and a Sender.

A thin facade. What the queue manager of the ancestor did, the bus does: docs/ancestors.md says what became of what.

    worker = Worker(queue="myqueue", callback=mycallback)
    worker.run()

    def mycallback(worker, originator, input):
        worker.respond(originator, {"response": "I heard you!"})
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from concurrent.futures import wait
from typing import Any

from swarmage.abilities import Ability
from swarmage.client.sender import Sender, queue_name
from swarmage.clock import SYSTEM_CLOCK
from swarmage.drone import worker as workers
from swarmage.drone.drone import Drone
from swarmage.errors import ConfigError, SwarmageError
from swarmage.retry import RetryPolicy

logger = logging.getLogger("swarmage.spread_queue")

HEARTBEAT = 2.0
"""Seconds, as the ancestor had it. Here the bus and its clients send heart-beats, and the interval is theirs."""
LOOK_SECONDS = 1.0
"""How often a worker whose callback runs in an event loop looks whether the loop is still there."""

__all__ = ["Sender", "Worker"]

Callback = Callable[["Worker", str | None, Any], Any]


class Worker:
    """Takes the messages of one queue in turn and hands each to a callback, ``callback(worker, originator, input)``.

    The originator hears that a worker has begun before the callback runs. An exception in the callback is logged, told
    to the originator and kept with its message in the dead letters, and the worker goes on.

    Attributes:
        queue: its name.
        heartbeat: seconds; kept for programs that read it.
        metrics: ``start_time``, seconds since the epoch, and ``num_messages``.
    """

    def __init__(
        self, queue: str | None = None, callback: Callback | None = None, heartbeat: float = HEARTBEAT, **bus: Any
    ) -> None:
        """Take the settings; nothing is connected before `run` or `setup_event`.

        Args:
            queue: the queue's name; SPREAD_QUEUE when it is not given.
            callback: called for each message; where `setup_event` is used it may be a coroutine function.
            heartbeat: see above.
            bus: ``url``, or ``hostname``, ``port``, ``login`` and ``passcode``, as for `swarmage.Worker`.

        Raises:
            ConfigError: there is no queue, no callback, or a heartbeat that is no time.
        """
        self.queue = queue_name(queue)
        if not callable(callback):
            raise ConfigError("a callback function is required: Worker(queue=…, callback=f)")
        if not heartbeat > 0:
            raise ConfigError(f"heartbeat must be more than 0 seconds, not {heartbeat!r}")
        self.heartbeat = heartbeat
        self.metrics: dict[str, Any] = {"start_time": SYSTEM_CLOCK.wall(), "num_messages": 0}
        self._callback = callback
        self._bus = bus
        self._loop: asyncio.AbstractEventLoop | None = None
        self._drone: Any = None
        self._performer: workers.Worker | None = None

        def perform(performer: workers.Worker, input: Any = None) -> None:  # noqa: A002 - the ancestor's word
            self._perform(performer, input)

        ability: Ability[..., None] = Ability(perform, self.queue, policy=RetryPolicy(retries=0))
        self._cell_class = type("SpreadWorker", (workers.Worker,), {"perform": ability})
        self._cell = self._cell_class(**bus)

    @property
    def start_time(self) -> float:
        """When it was made, seconds since the epoch."""
        return float(self.metrics["start_time"])

    @property
    def num_messages(self) -> int:
        """How many messages it has taken."""
        return int(self.metrics["num_messages"])

    def run(self) -> None:
        """Take messages until `terminate`, SIGTERM or SIGINT.

        Raises:
            BusUnreachable: no bus answers at the start; one that goes away later is waited for.
        """
        if inspect.iscoroutinefunction(self._callback):
            raise ConfigError("a callback that is a coroutine function needs a loop: use setup_event, not run")
        self._cell.work()

    def setup_event(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Take messages in an asyncio loop, the running one unless another is given; callbacks are called in it.

        Raises:
            BusUnreachable: no bus answers.
        """
        self._loop = loop or asyncio.get_running_loop()
        self._drone = Drone.start(workers=[self._cell_class], **self._bus)

    def respond(self, originator: str | None, payload: Any) -> None:
        """Send a response to the originator of the message at hand; it leaves when the callback has returned.

        Raises:
            SwarmageError: the originator's message is not at hand: the callback has returned.
            NotEncodable: the payload cannot be carried.
        """
        self._performing(originator).respond(payload)

    def acknowledge(self, originator: str | None) -> None:
        """Tell the originator once more that its message is being worked on.

        Raises:
            SwarmageError: as in `respond`.
        """
        self._performing(originator).acknowledge()

    def terminate(self) -> None:
        """Take no more messages and end `run`; the message at hand is finished first. Safe to call in the callback."""
        drone, self._drone = self._drone, None
        if drone is not None:
            drone.stop(block=False)
        self._cell.terminate()

    def _performing(self, originator: str | None) -> workers.Worker:
        performer = self._performer
        if performer is None or performer.task.originator != originator:
            raise SwarmageError(f"the message of originator {originator} is not at hand: respond inside the callback")
        return performer

    def _perform(self, performer: workers.Worker, input: Any) -> None:  # noqa: A002
        self.metrics["num_messages"] += 1
        originator = performer.task.originator
        self._performer = performer
        performer.acknowledge()
        try:
            if self._loop is None:
                self._callback(self, originator, input)
            else:
                self._call_in(self._loop, originator, input)
        except Exception:
            logger.exception("the callback of queue %s failed", self.queue)
            raise
        finally:
            self._performer = None

    def _call_in(self, loop: asyncio.AbstractEventLoop, originator: str | None, input: Any) -> None:  # noqa: A002
        called = asyncio.run_coroutine_threadsafe(self._in_loop(originator, input), loop)
        while not called.done():
            wait([called], timeout=LOOK_SECONDS)
            if not (called.done() or loop.is_running()):
                called.cancel()
                raise SwarmageError(f"the event loop of queue {self.queue} has ended, and no callback can be called")
        called.result()

    async def _in_loop(self, originator: str | None, input: Any) -> None:  # noqa: A002
        result = self._callback(self, originator, input)
        if inspect.isawaitable(result):
            await result
