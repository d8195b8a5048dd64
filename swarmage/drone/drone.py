"""The drone: a pykka actor that takes tasks from the bus for its workers.

From: bus.  To: local_queue, and from finalize back to the bus.
"""

from __future__ import annotations

import logging
import os
import random
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pykka

from swarmage.bus.bus import Bus
from swarmage.bus.connection import Connection
from swarmage.clock import SYSTEM_CLOCK, Clock
from swarmage.drone.cell import Cell
from swarmage.drone.control import Control
from swarmage.drone.crew import Crew
from swarmage.drone.finalize import Finalizer
from swarmage.drone.local_queue import Mailbox
from swarmage.drone.messages import DrainAsked, Echo, Flush, Lost, Ordered, RollCall, Suspect, Suspected, Tick, Unread
from swarmage.drone.presence import Presence
from swarmage.drone.quarantine import Quarantine
from swarmage.drone.run import Run
from swarmage.drone.sharing import Sharing
from swarmage.drone.supervision.declared import Root
from swarmage.errors import BusError, ConfigError, SwarmageError
from swarmage.home import follow_address, resolve_address
from swarmage.keyring import load_ring
from swarmage.remote.remote import Remote
from swarmage.settings import DEFAULT_PORT, Address
from swarmage.wire.envelope import Wire

logger = logging.getLogger("swarmage.drone")

GRACE = 30.0
"""Seconds that tasks have to finish when the drone is stopped."""
CONNECT_TIMEOUT = 3.0
OVERRUN_GRACE = 2.0
"""Seconds that the others have to finish when a task has overrun its hard limit."""
FAILED_GRACE = 5.0
"""Seconds that tasks have to finish when a supervision tree has failed."""


class Drone(pykka.ThreadingActor):
    """Takes tasks from the Global Queue for its workers, and acknowledges them when they are done.

    Start it like any pykka actor; it is subscribed to one destination per task class its workers are able to perform.
    Stopping it drains: no new tasks, those begun are finished and acknowledged, the rest goes back to the bus.

    Example:
        ref = Drone.start(workers=[Census], url="stomp://login:passcode@127.0.0.1:61613")
        ref.stop()

    Args (of `start`):
        workers: Worker subclasses, and Supervisor subclasses that declare some as children.
        url: the one bus; without it ``hostname``, ``port``, ``login`` and ``passcode``, or SWARMAGE_URL, or that bus
            that was started in this folder.
        concurrency: actors per class in this drone, by the class's name, instead of the class's own.
        grace: seconds that tasks have to finish when the drone is stopped.
        on_drain: called in the drone's thread when `swarmage drain` asks it to leave; by default it stops.
        alone: told which task runs alone, because a drone was lost while it was there; an empty text when it has ended.
        overrun: told which task overran its hard limit, when the drone has left because of it: end the process then.
        failed: told why a supervision tree has failed, when the drone has left because of it.

    Raises (from `start`):
        ConfigError: there is nothing to perform, or a setting is wrong.
        BusUnreachable: no bus answers.
        LoginRefused: the bus does not take the login and passcode.
    """

    use_daemon_thread = True

    def __init__(  # noqa: PLR0913 - keyword-only settings
        self,
        *,
        workers: Sequence[Root],
        url: str | None = None,
        hostname: str | None = None,
        port: int | None = None,
        login: str = "",
        passcode: str = "",
        concurrency: Mapping[str, int] | None = None,
        grace: float = GRACE,
        on_drain: Callable[[], None] | None = None,
        clock: Clock = SYSTEM_CLOCK,
        alone: Callable[[str], None] = lambda task: None,
        overrun: Callable[[str], None] = lambda task: None,
        failed: Callable[[str], None] = lambda why: None,
    ) -> None:
        self._mailbox = Mailbox(clock)
        super().__init__()
        self._grace = grace
        self._clock = clock
        if hostname is not None:
            address = Address(host=hostname, port=port or DEFAULT_PORT, login=login, passcode=passcode)
        else:
            address = resolve_address(url)
        self._bus = Bus(address, clock=clock, follow=follow_address(address))
        wire = Wire(load_ring(create=True), clock)
        self._remote = Remote(lambda: self._bus, wire, clock)
        self._cell = Cell(mailbox=self._mailbox, wire=wire, bus=self._bus, clock=clock, remote=self._remote)
        self._crew = Crew(workers, concurrency or {}, self._cell)
        self._finalizer = Finalizer(self._cell, self._crew.abilities, random.Random())  # noqa: S311 - spreads retries
        self.name = f"{socket.gethostname()}-{os.getpid()}-{self.actor_urn[-6:]}"
        self._presence = Presence(self.name, self._cell)
        self._control = Control(self._cell, self._crew, self._presence, self._finalizer)
        self._subscribing = self._control.subscribing
        self._sharing = Sharing(self._cell, self._subscribing, self._crew.classes)
        self._quarantine = Quarantine(self._cell, self._subscribing, alone, self._finalizer.suspect)
        self._left = False
        self._tell_overrun, self._tell_failed = overrun, failed
        self._on_drain = on_drain or self.stop
        self._bus.on_lost = self._subscribing.outlived.note
        self._bus.on_beat = wire.follow_keys
        self._bus.start(CONNECT_TIMEOUT)
        try:
            self._crew.start()
            self._control.start()
        except (ConfigError, BusError):
            self._crew.stop()
            self._bus.stop()
            raise

    @classmethod
    def start(cls, *args: Any, **kwargs: Any) -> pykka.ActorRef[Drone]:
        """Start the actor; see the class for what to pass and what it raises."""
        try:
            return super().start(*args, **kwargs)
        except SwarmageError as error:
            raise error.with_traceback(None) from error.__cause__  # where in pykka it passed by helps nobody

    def _create_actor_inbox(self) -> Any:  # type: ignore[override]  # a static method at pykka's, but called on self
        return self._mailbox

    # starting

    def on_start(self) -> None:
        """Subscribe: from here on tasks come in."""
        self._subscribing.start()
        logger.info("drone %s performs %s", self.name, ", ".join(sorted(self._subscribing.task_classes)))

    # running

    def on_receive(self, message: Any) -> Any:
        """Act on what the cell tells its drone; user code may send it nothing else."""
        match message:
            case Flush():
                self._flush()
            case Tick():
                self._tick()
            case Unread():
                self._finalizer.bury(message)
            case Suspected():
                self._finalizer.suspect(message)
            case Suspect() | Echo():
                self._quarantine.hear(message)
            case RollCall(reply_to):
                self._presence.answer(reply_to, self._crew.workers, self._subscribing.paused)
            case Ordered():
                self._control.on_ordered(message)
            case DrainAsked(reply_to):
                logger.info("drone %s is asked to drain", self.name)
                self._presence.say_goodbye(reply_to)
                self._on_drain()
            case Lost(connection):
                self._let_go(connection)
            case _:
                logger.warning("drone %s was sent %r, which it does not know", self.name, type(message).__name__)

    def _flush(self) -> None:
        if self._sharing.leaves_some:
            self._sharing.make_room()
        finished = self._mailbox.drain_finished()
        self._finalizer.finalize(finished)
        self._subscribing.observe([run for run, _ in finished])
        self._quarantine.look()

    def _tick(self) -> None:
        """Look after what no message tells of."""
        now = self._clock.monotonic()
        self._crew.look_after(now)
        self._control.tick()
        self._sharing.look()
        self._quarantine.look()
        over = () if self._left else self._crew.overrun(now)
        if over:
            tasks = ", ".join(f"{run.task.task_class} {run.tree.task.id}" for run in over)
            logger.error("over the hard limit: %s; this drone leaves, and its process with it", tasks)
            self._leave(OVERRUN_GRACE, over)  # nothing but the end of its process ends it
            self._tell_overrun(tasks)
        failure = self._crew.failure
        if failure and self._mailbox.accepting:  # else it is about to leave anyway
            logger.error("%s; this drone leaves, and its process with it", failure)
            self._tell_failed(failure)
            self._leave(FAILED_GRACE)

    def _leave(self, grace: float, over: Sequence[Run] = ()) -> None:
        """Leave without having been told to."""
        self._left = True
        self._drain(min(self._grace, grace))
        self._finalizer.force([run.tree.root for run in over])
        self._bus.stop()
        if self.actor_ref.is_alive():
            self.stop()

    def _let_go(self, connection: Connection) -> None:
        """Forget the tasks of a lost connection that nobody has begun: the bus delivers them again."""
        for task_class in self._subscribing.task_classes:
            self._mailbox.remove_waiting(task_class, lambda run: run.tree.delivery.connection is connection)
        self._subscribing.holding.forget(connection)
        self._quarantine.forget(connection)

    # stopping

    def on_stop(self) -> None:
        """Drain: take no more tasks, finish those begun, acknowledge them, leave."""
        if not self._left:  # else it has drained already
            self._drain(self._grace)
        self._crew.stop()
        self._remote.stop()
        self._bus.stop()

    def _drain(self, grace: float) -> None:
        self._subscribing.stop()
        self._quarantine.close()
        self._bus.give_back([run.tree.delivery for run in self._mailbox.close()])
        deadline = self._clock.monotonic() + grace
        later = []  # such as a second stop, which pykka answers when this one is done
        while self._mailbox.open_trees and self._clock.monotonic() < deadline:
            envelope = self._mailbox.get()
            if isinstance(envelope.message, Flush):
                self._finalizer.finalize(self._mailbox.drain_finished())
            elif isinstance(envelope.message, Tick | Unread | Suspected | Suspect | RollCall | Ordered):
                self.on_receive(envelope.message)
            elif envelope.reply_to is not None:
                later.append(envelope)
        for envelope in later:
            self._mailbox.put(envelope)
        if self._mailbox.open_trees:
            logger.warning("drone %s gives %d unfinished tasks back", self.name, self._mailbox.open_trees)

    def on_failure(self, *_: Any) -> None:
        """Leave the bus without a goodbye, so that it gives the tasks to others and counts that this drone was lost."""
        self._crew.stop()
        self._bus.stop(goodbye=False)
