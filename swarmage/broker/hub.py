"""The bus without its sockets: sessions, queues and the journal, moved on in turns.

Nothing here asks the machine for the time, a socket or a thread, so the same code runs under asyncio and in tests that
turn by hand. Whoever drives it calls `Session.receive` with bytes, `Hub.turn` soon after, and `Hub.tick` now and then.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

from swarmage.broker.damaged import set_aside
from swarmage.broker.events import event
from swarmage.broker.groups import group_of
from swarmage.broker.journal import Journal
from swarmage.broker.limits import Limits
from swarmage.broker.message import Damaged, Message
from swarmage.broker.queue import Queue
from swarmage.broker.quota import Quota
from swarmage.broker.refused import Refused, no_room
from swarmage.broker.router import Router
from swarmage.broker.session import Session, Sink
from swarmage.broker.store import Page, Store
from swarmage.broker.waiting import HEAD, HEAD_BYTES, Lane
from swarmage.clock import SYSTEM_CLOCK, Clock

log = logging.getLogger("swarmage.bus")

TICK_SECONDS = 0.25
"""How often `Hub.tick` is called."""

_SWEEP_SECONDS = 10.0
_LATE_SECONDS = 1.0
_ROUNDS = 3  # so that one fast reader of a long queue does not keep the others waiting


class Wake(Protocol):
    """Asks the driver to call `Hub.turn` soon; called as often as there is news."""

    def __call__(self) -> None:
        """Ask."""


def _nobody() -> None:
    """Stand in for a driver that turns anyway."""


class Hub:
    """One bus.

    Attributes:
        sessions: open connections.
        messages_in: messages accepted since the start.
        messages_out: messages delivered since the start.
        started: when the bus started, on the monotonic clock.
        durability: what its receipts mean: ``disk``, ``os`` or ``memory``.
        quota: what may be stored.
    """

    def __init__(
        self,
        *,
        store: Store,
        users: Mapping[str, str] | None = None,
        clock: Clock = SYSTEM_CLOCK,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        name: str = "bus",
        wake: Wake = _nobody,
        durability: str = "memory",
    ) -> None:
        self.clock = clock
        self.limits = limits
        self.users = dict(users or {})
        self.sessions: dict[str, Session] = {}
        self.messages_in = 0
        self.messages_out = 0
        self.started = clock.monotonic()
        self.wake = wake
        self.durability = durability
        self.quota = Quota(limits)
        self.journal = Journal(store, self._arrive, self._progress, quota=self.quota, refuse=self._no_room_for)
        self._store = store
        self._name = name
        self._session_numbers = itertools.count(1)
        self._numbers = itertools.count(1)
        self.router = Router(self.mark, self.next_number, self._overflow, limits.private_backlog)
        self._marked: list[Queue] = []
        self._talking: list[Session] = []
        self._ticked = self._swept = self.started

    def load(self) -> int:
        """Take over what the store holds and return how many messages that is."""
        loaded = self._store.load()
        self._numbers = itertools.count(loaded.next_number)
        self.quota.bytes = loaded.bytes
        now, wall_ms = self.clock.monotonic(), self.clock.wall() * 1000
        for message in loaded.messages:
            if isinstance(message, Damaged):
                set_aside(self, message)
                continue
            message.group = group_of(message.head)
            if message.due > wall_ms:
                message.release = now + (message.due - wall_ms) / 1000
            self.router.arrive(message)
        for (name, priority), count in loaded.backlog.items():
            self.router.queue(name).waiting.leave_in_store(priority, count)
        for name in loaded.fading:
            self.router.queue(name).may_expire = True
        return len(loaded.messages) + sum(loaded.backlog.values())

    def next_number(self) -> int:
        """Return a sequence number nobody had before."""
        return next(self._numbers)

    def connect(self, sink: Sink, peer: str) -> Session:
        """Open a session for a new connection; one too many is told so and closed."""
        session = Session(self, sink, f"{self._name}-{next(self._session_numbers)}", peer)
        if len(self.sessions) >= self.limits.connections:
            session.refuse(Refused(f"the bus has {self.limits.connections} connections already"))
        else:
            self.sessions[session.id] = session
        return session

    def check(self, messages: Sequence[Message]) -> None:
        """Refuse messages that belong together when there is no room for all of them.

        Raises:
            Refused: the disk, the bus or a queue is full.
        """
        if self.journal.full is not None and any(message.stored for message in messages):
            raise no_room(self.journal.full)
        if self.quota.active:
            self.quota.check(messages, self.router.queues)

    def publish(self, message: Message) -> None:
        """Accept a message that `check` lets pass: to the disk first if it is to be stored."""
        self.messages_in += 1
        if message.stored:
            self.journal.insert(message)
        else:
            self.router.arrive(message)

    def mark(self, queue: Queue) -> None:
        """Note that the queue may have something to hand out."""
        if not queue.marked:
            queue.marked = True
            self._marked.append(queue)
            self.wake()

    def talks(self, session: Session) -> None:
        """Note that the session has something to write."""
        self._talking.append(session)
        self.wake()

    def turn(self) -> bool:
        """Do what follows from what came in: hand out, store, write; return whether there is more to do at once."""
        self.journal.speaker = None
        due = self.router.next_due
        if due is not None and due <= self.clock.monotonic():
            self.router.release_due(self.clock.monotonic())
        for _ in range(_ROUNDS):
            if not self._busy:
                return False
            self._dispatch()
            self.journal.flush()
            talking, self._talking = self._talking, []
            for session in talking:
                session.flush()
        return self._busy

    @property
    def _busy(self) -> bool:
        return bool(self._marked or self._talking or self.journal.collecting)

    def _dispatch(self) -> None:
        wall_ms = self.clock.wall() * 1000
        marked, self._marked = self._marked, []
        for queue in marked:
            queue.marked = False
            handed, expired = queue.dispatch(wall_ms)
            self.messages_out += handed
            for message in expired:
                self.journal.remove(message)
            self._feed(queue)

    def _feed(self, queue: Queue) -> None:
        """Have the next messages of a long queue read before those in memory run out."""
        for lane in queue.waiting.lanes:
            if lane.hungry:
                lane.loading = True
                page = Page(queue.name, lane.priority, lane.last, HEAD, HEAD_BYTES)
                self._store.read(page, partial(self._fed, queue, lane))

    def _fed(self, queue: Queue, lane: Lane, read: list[Message] | Exception) -> None:
        if isinstance(read, Exception):
            self.journal.failed = read
        else:
            if queue.owner is not None:  # a snapshot for somebody who browses: none of it is taken
                for message in read:
                    message.stored = False
            elif lane.paged and not read:
                log.error(
                    "%d messages of %s are not in the file any more", lane.paged, queue.name,
                    extra=event("messages_missing", destination=queue.name, count=lane.paged),
                )  # fmt: skip
            queue.feed(lane, read)
            if any(type(message) is Damaged for message in read):
                self._set_aside(queue)
            self.mark(queue)
        self._progress()

    def _set_aside(self, queue: Queue) -> None:
        for message in queue.waiting.remove(lambda message: isinstance(message, Damaged)):
            if isinstance(message, Damaged) and message.stored:  # else it is a copy for somebody who browses
                set_aside(self, message)

    def tick(self) -> None:
        """Look after everything that depends on time passing."""
        self.journal.speaker = None
        self.journal.tick()
        now = self.clock.monotonic()
        # A loop that was held up itself has not read yet what its peers sent in time.
        late = now - self._ticked > _LATE_SECONDS
        self._ticked = now
        for session in list(self.sessions.values()):
            session.tick(now, forgiving=late)
        if now - self._swept >= _SWEEP_SECONDS:
            self._swept = now
            for message in self.router.sweep(self.clock.wall() * 1000):
                self.journal.remove(message)
            for queue in self.router.queues.values():
                if queue.may_expire:
                    self._feed(queue)
        self.wake()

    def _arrive(self, message: Message) -> None:
        self.router.arrive(message)

    def _progress(self) -> None:
        self.wake()

    def _no_room_for(self, session: Session, reason: str) -> None:
        session.refuse(no_room(reason), counted=False)

    def _overflow(self, session: Session, name: str) -> None:
        backlog = self.limits.private_backlog
        session.refuse(Refused(f"you are too slow: more than {backlog} messages wait for you in {name}"))
