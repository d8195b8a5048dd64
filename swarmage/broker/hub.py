"""The bus without its sockets: sessions, queues and the journal, moved on in turns.

Nothing here asks the machine for the time, a socket or a thread, so the same code runs under asyncio and in tests that
turn by hand. Whoever drives it calls `Session.receive` with bytes, `Hub.turn` soon after, and `Hub.tick` now and then.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from swarmage.broker.admin.rates import Tally, period_of
from swarmage.broker.entrance.crowd import Crowd, host_of
from swarmage.broker.entrance.door import Door
from swarmage.broker.journal import Journal
from swarmage.broker.limits import Limits
from swarmage.broker.queues.loading import take_over
from swarmage.broker.queues.message import Message
from swarmage.broker.queues.paging import Paging
from swarmage.broker.queues.queue import Queue
from swarmage.broker.queues.quota import Quota
from swarmage.broker.queues.records import Records
from swarmage.broker.queues.router import Router
from swarmage.broker.refused import Refused, no_room
from swarmage.broker.rest import Rest
from swarmage.broker.sessions.session import Session
from swarmage.broker.sessions.sink import Sink
from swarmage.broker.storage.store import Store
from swarmage.clock import SYSTEM_CLOCK, Clock

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
        tally: messages accepted and delivered since the start.
        period: the one that counts belong to at the moment.
        started: when the bus started, on the monotonic clock.
        door: who may come in.
        crowd: who is here.
        durability: what its receipts mean: ``disk``, ``os`` or ``memory``.
        data: the folder of its messages, None for memory only.
        paging: reads on in long queues.
        quota: what may be stored.
        records: what is stored besides messages.
        rest: says when acks that nobody waits for are stored.
    """

    def __init__(
        self,
        *,
        store: Store,
        door: Door | None = None,
        clock: Clock = SYSTEM_CLOCK,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        name: str = "bus",
        wake: Wake = _nobody,
        durability: str = "memory",
        data: Path | None = None,
    ) -> None:
        self.clock = clock
        self.limits = limits
        self.door = door or Door({}, clock)
        self.crowd = Crowd(limits)
        self.sessions: dict[str, Session] = {}
        self.started = clock.monotonic()
        self.tally = Tally()
        self.period = period_of(self.started)
        self.wake = wake
        self.durability = durability
        self.quota = Quota(limits)
        self.paging = Paging(self, store)
        self.data = data
        self.records = Records(self)
        self.router = Router(self.mark, self.next_number, self._overflow, limits.private_backlog)
        self.journal = Journal(
            store, self.router.arrive, wake, quota=self.quota, records=self.records, refuse=self._no_room_for
        )
        self.rest = Rest(self.journal, clock)
        self._store = store
        self._name = name
        self._session_numbers = itertools.count(1)
        self._numbers = itertools.count(1)
        self._marked: list[Queue] = []
        self._talking: list[Session] = []
        self._too_slow: list[tuple[Session, str]] = []
        self._ticked = self._swept = self.started

    def load(self) -> int:
        """Take over what the store holds and return how many messages that is."""
        loaded = self._store.load()
        self._numbers = itertools.count(loaded.next_number)
        self.quota.bytes = loaded.bytes
        self.records.load(loaded)
        return take_over(self, loaded)

    def next_number(self) -> int:
        """Return a sequence number nobody had before."""
        return next(self._numbers)

    def connect(self, sink: Sink, peer: str) -> Session:
        """Open a session for a new connection; one too many is told so and closed."""
        session = Session(self, sink, f"{self._name}-{next(self._session_numbers)}", peer)
        try:
            self.crowd.enter(session, host_of(peer))
        except Refused as full:
            session.refuse(full)
        else:
            self.sessions[session.id] = session
        return session

    def check(self, messages: Sequence[Message]) -> None:
        """Refuse messages that belong together when there is no room for all of them.

        Raises:
            Refused: the disk, the bus or a queue is full.
        """
        if self.journal.full is None and not self.quota.active:
            return
        messages = self.records.to_store(messages)
        if self.journal.full is not None and messages:
            raise no_room(self.journal.full)
        self.quota.check(messages, self.router.queues)

    def publish(self, message: Message) -> None:
        """Accept a message that `check` lets pass: to the disk first if it is to be stored."""
        self.tally.came += 1
        if message.special is not None:
            self.records.publish(message, message.special)
        elif message.stored:
            self.journal.insert(message)
        else:
            self.router.arrive(message)

    def mark(self, queue: Queue) -> None:
        """Note that the queue may have something to hand out."""
        if not queue.marked:
            queue.marked = True
            if queue.tally.period != self.period:
                queue.tally.move_on(self.period)
            self._marked.append(queue)
            self.wake()

    def talks(self, session: Session) -> None:
        """Note that the session has something to write."""
        self._talking.append(session)
        self.wake()

    @property
    def next_due(self) -> float | None:
        """When `turn` is to be called though nothing comes in, on the monotonic clock."""
        return min((due for due in (self.router.next_due, self.rest.ends) if due is not None), default=None)

    def turn(self) -> bool:
        """Do what follows from what came in: hand out, store, write; return whether there is more to do at once."""
        self.journal.speaker = None
        due = self.router.next_due
        if due is not None and due <= self.clock.monotonic():
            self.router.release_due(self.clock.monotonic())
        for _ in range(_ROUNDS):
            if not self._busy:
                break
            self._refuse_the_slow()
            self._dispatch()
            if self.rest.over:
                self.journal.flush()
            talking, self._talking = self._talking, []
            for session in talking:
                try:
                    session.flush()
                except Exception:  # noqa: BLE001 - whatever one connection does, the others go on
                    session.broke()
        self.rest.flush()
        return self._busy

    @property
    def _busy(self) -> bool:
        return bool(self._marked or self._talking or self._too_slow or self.rest.over)

    def _dispatch(self) -> None:
        wall_ms = self.clock.wall() * 1000
        marked, self._marked = self._marked, []
        for queue in marked:
            queue.marked = False
            handed, expired = queue.dispatch(wall_ms)
            self.tally.went += handed
            queue.tally.went += handed
            queue.tally.expired += len(expired)
            for message in expired:
                self.journal.remove(message)
            self.paging.feed(queue)

    def tick(self) -> None:
        """Look after everything that depends on time passing."""
        self.journal.speaker = None
        self.journal.tick()
        self.records.tick()
        now = self.clock.monotonic()
        # A loop that was held up itself has not read yet what its peers sent in time.
        late = now - self._ticked > _LATE_SECONDS
        self._ticked = now
        self.period = period_of(now)
        if self.tally.period != self.period:
            self.tally.move_on(self.period)
        for session in list(self.sessions.values()):
            session.tick(now, forgiving=late)
        if now - self._swept >= _SWEEP_SECONDS:
            self._swept = now
            for message in self.router.sweep(self.clock.wall() * 1000):
                self.journal.remove(message)
            for queue in self.router.queues.values():
                if queue.may_expire:
                    self.paging.feed(queue)
        self.wake()

    def _no_room_for(self, session: Session, reason: str) -> None:
        session.refuse(no_room(reason), counted=False)

    def _overflow(self, session: Session, name: str) -> None:
        # Not at once: it may be the very session whose COMMIT is being applied, all or nothing.
        self._too_slow.append((session, name))
        self.wake()

    def _refuse_the_slow(self) -> None:
        too_slow, self._too_slow = self._too_slow, []
        for session, name in too_slow:
            backlog = self.limits.private_backlog
            session.refuse(Refused(f"you are too slow: more than {backlog} messages wait for you in {name}"))
