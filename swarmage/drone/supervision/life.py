"""An actor's life: when it began, what ended it, and who wants to know."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

_telling = threading.Lock()  # of all watchers: watching and dying are rare


class Death(NamedTuple):
    """To an actor: one that it watches has died.

    Attributes:
        ref: the actor that died.
        reason: the exception it died of; None when it was stopped, or died before anybody looked.
    """

    ref: Any
    reason: BaseException | None


class Life:
    """What others may know of an actor. Its own thread writes, any thread reads.

    Attributes:
        begun: it has been through its `on_start`.
        reason: the exception that ended it, or None.
        settled: set when it has begun, or will not any more.
        over: set when it has ended, `on_stop` and `on_failure` included.
        path: the Supervisors above it in its cell, such as "Site/Mailers"; empty where none is declared.
        rouse: called when it has begun and when it has ended, by its own thread.
        watched: the actors whose death it is to be told of, by their URN; touched by its own thread alone.
    """

    __slots__ = ("_watchers", "begun", "over", "path", "reason", "rouse", "settled", "watched")

    def __init__(self) -> None:
        self.begun = False
        self.reason: BaseException | None = None
        self.settled = threading.Event()
        self.over = threading.Event()
        self.path = ""
        self.rouse: Callable[[], object] = _nobody
        self.watched: dict[str, Any] = {}
        self._watchers: dict[str, Any] = {}

    def begin(self) -> None:
        """Note that the actor has been through its `on_start`."""
        self.begun = True
        self.settled.set()
        self.rouse()

    def fail(self, reason: BaseException | None) -> None:
        """Note what ends the actor; what came first counts."""
        if self.reason is None:
            self.reason = reason

    def add_watcher(self, ref: Any) -> bool:
        """Have an actor told when this one dies; say whether that will be, since it has not died yet."""
        with _telling:
            if self.over.is_set():
                return False
            self._watchers[ref.actor_urn] = ref
            return True

    def drop_watcher(self, urn: str) -> None:
        """Do not tell an actor any more."""
        with _telling:
            self._watchers.pop(urn, None)

    def end(self) -> list[Any]:
        """Note that nothing is left of the actor; return who is to be told."""
        with _telling:
            self.over.set()
            told, self._watchers = list(self._watchers.values()), {}
        self.settled.set()
        return told


def _nobody() -> None:
    """Do nothing."""


def life_of(ref: Any) -> Life | None:
    """Return the life of the actor a reference is to; None for one that is no `Watching`, or not there any more."""
    found = getattr(ref._actor_weakref(), "_life", None)
    return found if type(found) is Life else None
