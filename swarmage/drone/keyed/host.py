"""Performing the tasks of keys: a worker takes one, has its key's actor do it, and adds its state to what is sent.

From: local_queue.  To: execution, then finalize through the drone's mailbox.

The state leaves in the transaction that acks the task, and the bus takes acks only from who holds the task. So a drone
that has lost a key, and does not know it yet, changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, NoReturn

import msgspec

from swarmage.drone.cell import Cell
from swarmage.drone.execution import failure_of, outcome_of
from swarmage.drone.keyed.checks import check_class
from swarmage.drone.keyed.lane import Key, KeyedLane, group_in, open_lane
from swarmage.drone.keyed.loading import Saved, load_state
from swarmage.drone.run import Local, Run
from swarmage.drone.sending import add
from swarmage.drone.worker import Worker
from swarmage.drone.worker_inbox import WorkerInbox
from swarmage.errors import ConfigError, NotEncodable
from swarmage.outcome import Failure, Outcome, Rejected, Succeeded
from swarmage.remote.remote import Remote
from swarmage.wire.keyed import encode_state, forget_state, write_state

IDLE = 300.0
MOST_KEYS = 10_000


class KeyedHost(Worker):
    """Both the threads that perform for all keys of a kind, and the actors of the keys, which have no thread.

    See `swarmage.keyed.KeyedWorker`.
    """

    concurrency: ClassVar[int] = 8
    idle: ClassVar[float] = IDLE
    most_keys: ClassVar[int] = MOST_KEYS
    kind: ClassVar[str] = ""

    key: str
    state: Any
    _host: KeyedHost | None = None  # of an actor: the thread that performs for it at the moment

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.kind = check_class(cls, vars(cls))
        for ability in cls.abilities.values():
            ability.keyed = True

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._methods = {name: partial(self._on_key, one.function) for name, one in self.abilities.items()}

    # what an actor is

    def on_load(self, state: Any) -> None:
        """Begin with a state: see `swarmage.keyed.KeyedWorker`."""
        self.state = {} if state is None else state

    def on_save(self) -> Any:
        """Return what is to be saved: see `swarmage.keyed.KeyedWorker`."""
        return self.state

    def __str__(self) -> str:
        return super().__str__() if self._host is None else f"{type(self).__qualname__}[{self.key!r}]"

    __repr__ = __str__

    # what an actor does with its thread

    def _connected(self, what: str) -> Remote:
        return Worker._connected(self._thread, what)

    @property
    def _thread(self) -> KeyedHost:
        return self if self._host is None else self._host

    def _current(self) -> tuple[Run, Cell]:
        return Worker._current(self._thread)

    def _pass_on(self, run: Run) -> None:
        Worker._pass_on(self._thread, run)

    def _wait_for(self, local: Local, timeout: float) -> None:
        Worker._wait_for(self._thread, local, timeout)

    def _check_time(self, now: float) -> None:
        Worker._check_time(self._thread, now)

    def _may_tell(self, now: float, last: bool) -> bool:
        return Worker._may_tell(self._thread, now, last)

    # what is for those that have a thread and an inbox

    @property
    def actor_ref(self) -> Any:
        """Not there for the actor of a key."""
        return super().actor_ref if self._host is None else self._refuse("actor_ref")

    def publish(self, name: str) -> NoReturn:
        """Not there for the actor of a key."""
        self._refuse("publish")

    def watch(self, ref: Any) -> NoReturn:
        """Not there for the actor of a key."""
        self._refuse("watch")

    def unwatch(self, ref: Any) -> NoReturn:
        """Not there for the actor of a key."""
        self._refuse("unwatch")

    def stop(self) -> NoReturn:
        """Not there for the actor of a key."""
        self._refuse("stop")

    def _refuse(self, what: str) -> NoReturn:
        raise ConfigError(
            f"{self}.{what}: the actor of a key has no thread and no inbox, and may leave memory at any time; others"
            " reach it by its abilities, and a Worker beside it can do this"
        )

    # performing

    def _create_actor_inbox(self) -> Any:  # type: ignore[override]  # as in Worker
        if self._cell is None:
            return super()._create_actor_inbox()
        mailbox = self._cell.mailbox
        self._lane: KeyedLane = open_lane(mailbox, self.kind, self.abilities, self.idle, self.most_keys)
        return WorkerInbox(mailbox, (self.kind,))

    def _on_key(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        run, cell = self._current()
        name = run.task.key
        assert name is not None
        key = self._lane.keys[group_in(run.tree)]
        if key.actor is None or key.stale:
            key.actor, key.stale = None, False  # first, for it may become so again while the state is loaded
            key.actor = self._load(run, cell, name, key)
        key.actor._host = self
        return function(key.actor, *args, **kwargs)

    def _load(self, run: Run, cell: Cell, name: str, key: Key) -> KeyedHost:
        saved = load_state(cell, self.kind, name, run.tree.delivery) or Saved(0, None, cell.wire.signs_as())
        actor = type(self).__new__(type(self))
        actor.key, actor._host = name, self
        key.version, key.unsaved = saved.version, None
        actor.on_load(saved.state)
        try:
            key.digest = _digest(_encoded(actor), saved.signed_by)
        except NotEncodable:
            key.digest = b"never saved like this"  # which is said when it is to be saved
        return actor

    def _outcome(self, run: Run) -> Outcome:
        if run.local is not None:
            what = f"{run.task.task_class} is for a key: insert it, it cannot be local"
            return Rejected("arguments", Failure("ArgumentError", what))
        outcome = super()._outcome(run)
        return self._save(run, outcome) if type(outcome) is Succeeded else outcome

    def _save(self, run: Run, outcome: Outcome) -> Outcome:
        """Have the state leave with the ack of the task, unless it is as it was."""
        cell, name = self._cell, run.task.key
        assert cell is not None
        assert name is not None
        key = self._lane.keys[group_in(run.tree)]
        try:
            encoded = _encoded(key.actor)
            digest = _digest(encoded, cell.wire.signs_as())
            if digest != key.digest:
                if encoded is None:
                    write = forget_state(cell.wire, self.kind, name)
                else:
                    write = write_state(cell.wire, self.kind, name, key.version + 1, encoded)
                add(run, write)
                key.unsaved = (write, digest)
        except NotEncodable as error:
            return Rejected("state", failure_of(error))
        except BaseException as error:  # noqa: BLE001 - on_save and what it returns are user code, as in `execute`
            return outcome_of(error)
        return outcome


def _encoded(actor: KeyedHost) -> msgspec.Raw | bytes | None:
    state = actor.on_save()
    return None if state is None else encode_state(state, str(actor))


def _digest(encoded: msgspec.Raw | bytes | None, signed_by: str) -> bytes:
    """Return by what a state is known that need not be saved again: signed by another key, it must."""
    if encoded is None:
        return b""
    return hashlib.blake2b(encoded, digest_size=16, key=signed_by.encode()).digest()
