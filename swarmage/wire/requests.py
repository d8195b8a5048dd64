"""What remote references and published actors say to each other: requests and answers to signed messages and back.

From: remote.  To: bus; and the other way round.

A request is signed together with the queue of its actor, an answer together with the queue of who asked. So a task, a
reply or a note can never pass for either, nor a request to one actor for one to another.
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import msgspec

from swarmage.errors import NotEncodable, Unreadable
from swarmage.outcome import Failure
from swarmage.wire import codec, names
from swarmage.wire.envelope import MAX_BODY, Wire, tellable
from swarmage.wire.message import Message

EXPIRES = 60.0
"""Seconds after which the bus may drop what nobody has taken; the clocks of two machines may differ by that much."""

_PLAIN = {str, int, bool, type(None)}


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is wanted of an actor.

    Attributes:
        say: ``ping``, whether it is there; ``look``, which attributes it has; ``message``, for its `on_receive`;
            ``call``, ``get`` and ``set``, of one attribute.
        reply_to: the queue of who asks.
        number: one higher than that of the request before, of all that go to `reply_to`.
        session: what the answer to a ``ping`` gave; without it only that is answered.
        told: nobody waits for an answer.
        path: the attribute's name, and before it those of what it is an attribute of.
        value: the message or the new value; of ``call`` [arguments by position, arguments by name].
        pickled: the value by cloudpickle where plain JSON does not bring back the same.
    """

    say: Literal["ping", "look", "message", "call", "get", "set"]
    reply_to: str
    number: int = 0
    session: str = ""
    told: bool = False
    path: tuple[str, ...] = ()
    value: Any = None
    pickled: bytes | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What comes of a request.

    Attributes:
        say: ``here``, to a ping; ``value`` or ``error``; ``dead``, the actor has stopped; ``stale``, the session is not
            one of this publisher, and nothing was done.
        number: that of the request.
        session: for ``here``, what requests to this publisher must carry.
        value: what the actor returned.
        pickled: the same by cloudpickle where plain JSON does not bring it back.
        failure: what the actor raised.
    """

    say: Literal["here", "value", "error", "dead", "stale"]
    number: int
    session: str = ""
    value: Any = None
    pickled: bytes | None = None
    failure: Failure | None = None


class Content(NamedTuple):
    """A value as it travels: written when it is said, so that it may change afterwards, and opened by who wants it."""

    value: Any = None
    pickled: bytes | None = None

    def open(self) -> Any:
        """Return the value.

        Raises:
            Unreadable: it is pickled and names what is not there in this process.
        """
        return self.value if self.pickled is None else codec.unpickle(self.pickled)


def enclose(value: Any, what: str) -> Content:
    """Return a value as it travels: as JSON if that brings back the same, else by cloudpickle.

    Raises:
        NotEncodable: neither can carry it.
    """
    try:
        body = codec.to_json(value) if _is_plain(value) else None
    except RecursionError:
        body = None
    return Content(pickled=codec.pickle(value, what)) if body is None else Content(value=msgspec.Raw(body))


def _is_plain(value: object) -> bool:
    """Say whether JSON brings back the same: a message that is a tuple or of a class of its own must stay one."""
    kind = type(value)
    if kind in _PLAIN:
        return True
    if kind is float:
        return math.isfinite(value)  # type: ignore[arg-type]  # mypy does not see what it is
    if kind is list:
        return all(map(_is_plain, value))  # type: ignore[call-overload]  # as above
    if kind is dict:
        return all(type(key) is str and _is_plain(item) for key, item in value.items())  # type: ignore[attr-defined]
    return False


def write_request(wire: Wire, name: str, request: Request) -> Message:
    """Write a request to the actor of that name.

    Raises:
        ConfigError: it is not a name.
        NotEncodable: it is too large for the bus.
    """
    return _write(wire, names.actor_destination(name), request, f"what is asked of the actor {name}")


def read_request(wire: Wire, destination: str, body: bytes, signature: str | None) -> Request:
    """Check and read a request; a pickled value stays closed.

    Raises:
        BadSignature: its signature is missing or wrong.
        Unreadable: it is not a request.
    """
    request: Request = _read(wire, destination, body, signature, Request)
    if not names.is_reply_destination(request.reply_to):
        raise Unreadable(f"{request.reply_to[:100]!r} is not a reply queue")
    return request


def write_answer(wire: Wire, destination: str, answer: Answer) -> Message:
    """Write an answer; what is too long of a failure is cut.

    Raises:
        NotEncodable: it is too large for the bus.
    """
    if answer.failure is not None:
        answer = msgspec.structs.replace(answer, failure=tellable(answer.failure))
    return _write(wire, destination, answer, "what an actor answers")


def read_answer(wire: Wire, destination: str, body: bytes, signature: str | None) -> Answer:
    """Check and read an answer; a pickled value stays closed.

    Raises:
        BadSignature: its signature is missing or wrong.
        Unreadable: it is not an answer.
    """
    answer: Answer = _read(wire, destination, body, signature, Answer)
    return answer


def _write(wire: Wire, destination: str, said: Request | Answer, what: str) -> Message:
    try:
        body = msgspec.json.encode(said)
    except UnicodeEncodeError as error:  # half a character in an attribute's name
        raise NotEncodable(f"{what} is not text: {error}") from error
    if len(body) > MAX_BODY:
        raise NotEncodable(
            f"{what} has {len(body)} bytes, the bus takes {MAX_BODY}; put the data in a file or store and pass its name"
        )
    return wire.sign(Message(destination, body, "", expires=EXPIRES, persistent=False))


def _read(wire: Wire, destination: str, body: bytes, signature: str | None, kind: Any) -> Any:
    note = wire.read_note(destination, body, signature)
    try:
        return msgspec.convert(note, kind)
    except msgspec.ValidationError as error:
        raise Unreadable(f"not {kind.__name__.lower()}: {error}") from None
