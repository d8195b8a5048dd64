"""Requests as a pykka actor takes them: the one place where remote references meet pykka's messages.

From: publishing.  To: your program's actor, and back to publishing.
"""

from __future__ import annotations

import inspect
import logging
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from pykka import ActorDeadError, ActorRef
from pykka.messages import ProxyCall, ProxyGetAttr, ProxySetAttr

from swarmage.errors import ConfigError, Unreadable
from swarmage.outcome import Failure, describe
from swarmage.wire.requests import Answer, Content, Request, enclose

logger = logging.getLogger("swarmage.remote")

Ref = ActorRef[Any]
"""A local reference to an actor."""

_OURS = {"pykka", "swarmage"}


def check_ref(ref: object) -> None:
    """Refuse to publish what can never answer.

    Raises:
        ConfigError: it is no reference to an actor, or the actor has stopped.
    """
    if not isinstance(ref, ActorRef):
        raise ConfigError(f"only a pykka ActorRef can be published, such as MyActor.start() returns, not {ref!r:.100}")
    if not ref.is_alive():
        raise ConfigError(f"{ref} has stopped, so it cannot be published; start another one")


def actor_of(ref: Ref) -> Any:
    """Return the actor itself, None when it is no more; only what does not run its code may be done with it."""
    return ref._actor_weakref()


def attributes(actor: Any) -> dict[str, Any]:
    """Return what a proxy may use, as a local one sees it: ``call``, ``get``, or a mapping of what is inside."""
    found: dict[str, Any] = {}
    for name in dir(actor):
        if not name.startswith("_"):
            attribute = _static(actor, name)
            if _traversable(attribute):
                found[name] = attributes(attribute)
            else:
                found[name] = "call" if callable(attribute) or isinstance(attribute, staticmethod) else "get"
    return found


def check_path(actor: Any, path: tuple[str, ...]) -> None:
    """Refuse what a local proxy would not reach.

    Raises:
        AttributeError: a name is private, or leads into what is not marked as traversable.
    """
    for name in path or ("",):
        if not name or name.startswith("_"):
            raise AttributeError(
                f"{name!r} is private: a remote reference reaches only attributes whose names do not begin with '_'"
            )
    for name in path[:-1]:
        actor = _static(actor, name)
        if not _traversable(actor):
            raise AttributeError(f"{name!r} is not marked with pykka.traversable(), so a proxy cannot look into it")


def _static(owner: Any, name: str) -> Any:
    """Return an attribute without running a property's code, which is for the actor's thread."""
    return inspect.getattr_static(owner, name, None)


def _traversable(attribute: Any) -> bool:
    marks = (_static(attribute, "_pykka_traversable"), _static(attribute, "pykka_traversable"))
    return any(mark is True for mark in marks)


class Letter:
    """A request in the inbox of an actor, which opens it in its own thread: unpickling runs the sender's code."""

    __slots__ = ("_request", "_stopped", "reply_to")

    def __init__(self, request: Request, stopped: threading.Event, reply_to: Asked | None) -> None:
        self._request = request
        self._stopped = stopped
        self.reply_to: Asked | Unheard | None = reply_to

    @property
    def message(self) -> Any:
        """What pykka is to act on.

        Raises:
            Unreadable: it cannot be opened here.
        """
        request = self._request
        if self._stopped.is_set():
            return None  # pykka only looks what it was, to say that nobody will act on it
        try:
            value = Content(request.value, request.pickled).open()
            match request.say:
                case "call":
                    args, kwargs = value
                    return ProxyCall(attr_path=request.path, args=tuple(args), kwargs=dict(kwargs))
                case "get":
                    return ProxyGetAttr(attr_path=request.path)
                case "set":
                    return ProxySetAttr(attr_path=request.path, value=value)
                case _:
                    return value
        except Exception as error:
            if self.reply_to is None:  # or pykka would stop the actor, which has done nothing wrong
                self.reply_to = Unheard()
            raise Unreadable(f"what the actor was asked cannot be read here: {error}") from error


class Unheard:
    """Stands where nobody waits for the answer."""

    def set(self, value: Any = None) -> None:
        """Do nothing."""

    def set_exception(self, exc_info: Any = None) -> None:
        """Say in the log what would have been answered."""
        logger.warning("an actor was told what it cannot read: %s", (exc_info or sys.exc_info())[1])


class Asked:
    """What pykka takes for the future of a request that somebody waits for."""

    __slots__ = ("_finish", "_stopped", "number", "reply_to")

    def __init__(self, request: Request, stopped: threading.Event, finish: Callable[[Asked, Answer], None]) -> None:
        self.number = request.number
        self.reply_to = request.reply_to
        self._finish = finish
        self._stopped = stopped

    def set(self, value: Any = None) -> None:
        """Answer with what the actor returned, as it is now: it may change as soon as this returns."""
        try:
            content = enclose(value, "what the actor returned")
        except BaseException as error:  # noqa: BLE001 - a foreign __reduce__ may raise anything
            self._finish(self, Answer(say="error", number=self.number, failure=_failure_of(error)))
            return
        self._finish(self, Answer(say="value", number=self.number, value=content.value, pickled=content.pickled))

    def set_exception(
        self, exc_info: tuple[type[BaseException], BaseException, TracebackType | None] | None = None
    ) -> None:
        """Answer with what the actor raised."""
        error = (exc_info or sys.exc_info())[1]
        assert error is not None
        if isinstance(error, ActorDeadError) and self._stopped.is_set():
            self._finish(self, Answer(say="dead", number=self.number))
        else:
            self._finish(self, Answer(say="error", number=self.number, failure=_failure_of(error)))


def _failure_of(error: BaseException) -> Failure:
    """Return what can be said of what an actor raised, beginning with its own lines."""
    origin = error.__traceback__
    while origin is not None and origin.tb_frame.f_globals.get("__name__", "").partition(".")[0] in _OURS:
        origin = origin.tb_next
    return describe(error, origin)
