"""One actor's place in a team, over all its restarts."""

from __future__ import annotations

import enum
from collections.abc import Callable

from swarmage.drone.supervision.restarts import Backoff
from swarmage.drone.supervision.roster import START_TIMEOUT, Roster, called, how_it_ended
from swarmage.drone.supervision.watching import Watching
from swarmage.errors import ConfigError

PATIENCE = 5.0
"""Seconds that others wait for an actor that is to be started again to finish what it does. Then it takes no more
tasks, and finishes beside the one that takes its place."""


class Phase(enum.Enum):
    """What a team does with a child of its."""

    DOWN = "down"
    """It is not there, and is started when it is due."""
    RUNNING = "running"
    """It starts or has started; if it dies, it has failed."""
    STOPPING = "stopping"
    """It is to stop, or has been told to."""


class Child:
    """What a team has children of: actors, and other teams. Owned by the drone's thread.

    Attributes:
        name: what logs call it.
        failure: how it has ended by itself, in words; empty while it has not.
        phase: what its team does with it.
        due: not before this is it started, on the monotonic clock.
        told: it has been told to stop.
        backoff: how long it waits when it has died.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.failure = ""
        self.phase = Phase.DOWN
        self.due = 0.0
        self.told = False
        self.backoff = Backoff()

    def begin(self, now: float) -> None:
        """Start; should that fail, it shows in `failure`, if not at once."""
        raise NotImplementedError

    def begin_now(self, now: float) -> None:
        """Start, and return when it has.

        Raises:
            ConfigError: it cannot; the message says which actor and why.
        """
        raise NotImplementedError

    def stop(self, now: float) -> None:
        """Begin to stop."""
        raise NotImplementedError

    def look(self, now: float) -> None:
        """See what has become of it, and go on with what is to be done."""
        raise NotImplementedError

    @property
    def up(self) -> bool:
        """Whether it has started, with all that belongs to it."""
        raise NotImplementedError

    def gone(self, now: float) -> bool:
        """Say whether nobody needs to wait for it to end any more."""
        raise NotImplementedError


class Post(Child):
    """The place of one actor.

    Attributes:
        actor_class: what the actor is.
        actor: the actor as it is now; None before the first.
    """

    def __init__(self, actor_class: type[Watching], roster: Roster, path: str) -> None:
        super().__init__(called(actor_class))
        self.actor_class = actor_class
        self.actor: Watching | None = None
        self._roster = roster
        self._path = path
        self._since = 0.0  # when the actor was started, or told to stop
        self._admitted = False
        self._has_stopped: Callable[[], bool] = bool

    def begin(self, now: float) -> None:
        """Make the actor and start it."""
        self.failure, self.told, self._admitted, self._since = "", False, False, now
        if self.actor is not None:
            self._roster.withdraw(self.actor)
        self.actor = None
        try:
            self.actor = self._roster.launch(self.actor_class, self._path)
        except ConfigError as error:
            self.failure = str(error)
        else:
            self._has_stopped = self.actor.actor_stopped.is_set

    def begin_now(self, now: float) -> None:
        """Make the actor and start it; return when it has been through its `on_start`."""
        self.begin(now)
        if self.actor is not None and not self.actor._life.settled.wait(START_TIMEOUT):
            self._give_up_waiting(self.actor)
        self.look(now)
        if self.failure:
            raise ConfigError(self.failure) from (None if self.actor is None else self.actor._life.reason)

    def stop(self, now: float) -> None:
        """Have the actor finish what it does, and stop."""
        self.told, self._since = True, now
        if self.actor is not None:
            self._roster.let_go(self.actor)

    def look(self, now: float) -> None:
        """See whether the actor has begun, or died."""
        if self._admitted and not self._has_stopped():
            return  # as nearly always
        actor = self.actor
        if actor is None or self.failure or self.told:
            return
        life = actor._life
        if not self._admitted and life.begun:
            self._admitted = True
            self._roster.admit(actor)
        if not self._has_stopped():
            if not life.begun and now - self._since >= START_TIMEOUT:
                self._give_up_waiting(actor)
            return
        self.failure = f"{self.name} {how_it_ended(actor)}"
        self._roster.bury(actor)

    def _give_up_waiting(self, actor: Watching) -> None:
        self.failure = f"{self.name} has not started in {START_TIMEOUT:.0f} s"
        self._roster.let_go(actor)  # should it start yet, it stops

    @property
    def up(self) -> bool:
        """Whether the actor has begun and lives."""
        return self.phase is Phase.RUNNING and self._admitted and not self.failure

    def gone(self, now: float) -> bool:
        """Say whether the actor has ended, or has been waited for long enough."""
        return self.actor is None or self.actor._life.over.is_set() or now - self._since >= PATIENCE
