"""Actors that learn of one another's death, and whose own takes nobody along."""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import Any

import pykka

from swarmage.drone.supervision.life import Death, Life, life_of
from swarmage.errors import ConfigError, SwarmageError


class Watching(pykka.ThreadingActor):
    """A pykka actor that can watch others, and be watched.

    All Workers are, and so are plain actors that are children of a Supervisor. An exception that ends such an actor
    ends it alone, even SystemExit, after which pykka would stop every actor of the process.
    """

    use_daemon_thread = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._life = Life()
        super().__init__(*args, **kwargs)

    def watch(self, ref: pykka.ActorRef[Any]) -> None:
        """Have `on_death` called once when an actor of this process has died; at once when it is dead already.

        Call it in the actor's own thread. Watching an actor twice is watching it once.

        Raises:
            ConfigError: that actor does not tell of its death, or it is no reference to an actor of this process.
            SwarmageError: this is no running actor, such as a Worker in a process of its own.
        """
        if pykka.ActorRegistry.get_by_urn(self.actor_urn) is None:
            raise SwarmageError(
                f"{type(self).__qualname__} runs as no actor here, so nobody could tell it of a death: a Worker with"
                ' isolation = "process" has no actors beside it'
            )
        _check_ref(ref)
        life = life_of(ref)
        if life is None and ref.is_alive():
            raise ConfigError(
                f"{ref.actor_class.__qualname__} cannot be watched: make it a subclass of swarmage.Watching, or a"
                " child of a Supervisor"
            )
        self._life.watched[ref.actor_urn] = ref
        if life is None or not life.add_watcher(self.actor_ref):
            self.actor_ref.tell(Death(ref, None if life is None else life.reason))

    def unwatch(self, ref: pykka.ActorRef[Any]) -> None:
        """Do not call `on_death` for this actor any more, not even if it has just died. In the actor's own thread."""
        _check_ref(ref)
        self._life.watched.pop(ref.actor_urn, None)
        life = life_of(ref)
        if life is not None:
            life.drop_watcher(self.actor_urn)

    def on_death(self, ref: pykka.ActorRef[Any], reason: BaseException | None) -> Any:
        """Act on the death of an actor that this one watches; called in this one's thread, between two tasks.

        Args:
            ref: who died.
            reason: the exception it died of; None when it was stopped.
        """

    # what pykka calls

    def _handle_receive(self, message: Any) -> Any:
        if type(message) is not Death:
            return super()._handle_receive(message)
        if self._life.watched.pop(message.ref.actor_urn, None) is None:
            return None  # it does not watch that one any more
        return self.on_death(message.ref, message.reason)

    def _actor_loop(self) -> None:
        try:
            super()._actor_loop()
        finally:
            self._end_life()

    def _actor_loop_setup(self) -> None:
        try:
            self.on_start()
        except BaseException as error:  # noqa: BLE001 - pykka would let a SystemExit end the thread, and nobody know
            self._handle_failure(type(error), error, error.__traceback__)
        else:
            self._life.begin()

    def _actor_loop_running(self) -> None:
        stopped, get = self.actor_stopped.is_set, self.actor_inbox.get
        while not stopped():
            envelope = get()
            try:
                response = self._handle_receive(envelope.message)
                if envelope.reply_to is not None:
                    envelope.reply_to.set(response)
            except BaseException as error:  # noqa: BLE001 - pykka would stop every actor of the process on SystemExit
                self._on_raised(envelope.reply_to, error)

    def _on_raised(self, reply_to: Any, error: BaseException) -> None:
        """Tell who asked; die of what nobody asked for, and of what is no plain Exception."""
        raised = (type(error), error, error.__traceback__)
        if reply_to is not None:
            reply_to.set_exception(raised)
            if isinstance(error, Exception):
                return
        self._handle_failure(*raised)
        try:
            self.on_failure(*raised)
        except BaseException as another:  # noqa: BLE001 - as above
            self._handle_failure(type(another), another, another.__traceback__)

    def _handle_failure(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._life.fail(error)
        super()._handle_failure(kind, error, traceback)

    def _end_life(self) -> None:
        """Tell who watches. The last thing the actor does."""
        for ref in tuple(self._life.watched.values()):
            Watching.unwatch(self, ref)  # a Worker may have an ability of that name
        death = Death(self.actor_ref, self._life.reason)
        for watcher in self._life.end():
            with contextlib.suppress(pykka.ActorDeadError):
                watcher.tell(death)
        self._life.rouse()


def _check_ref(ref: object) -> None:
    if not isinstance(ref, pykka.ActorRef):
        raise ConfigError(
            f"only an actor of this process can be watched, by the pykka.ActorRef to it, not {ref!r:.100}; of one"
            " elsewhere `is_alive` of its RemoteRef says whether it is there"
        )


def watching(actor_class: type[pykka.ThreadingActor]) -> type[Watching]:
    """Return a plain actor's class as one that tells of its death; it goes by the same name."""
    if issubclass(actor_class, Watching):
        return actor_class
    names = {name: getattr(actor_class, name) for name in ("__module__", "__qualname__", "__doc__")}
    return type(actor_class.__name__, (Watching, actor_class), names)
