"""What a drone and the process of one of its workers say to each other, over a socket between the two.

Tasks from the bus go to the process as they came, so that nothing of what they carry is opened in the drone. Arguments
and results of local tasks go by cloudpickle, so that they arrive as what they were.
"""

from __future__ import annotations

import sys
from typing import Any, Literal, assert_never

import msgspec

from swarmage.outcome import Crashed, Discarded, Failed, Failure, Outcome, Rejected, Skipped, Succeeded
from swarmage.task import Task
from swarmage.wire import codec
from swarmage.wire.codec import Carried
from swarmage.wire.envelope import tellable
from swarmage.wire.message import Message


class Load(msgspec.Struct, array_like=True, tag=True):
    """To the process, first of all: what it is to be.

    Attributes:
        worker_class: the Worker, pickled.
        formatter: how the drone's log lines look, pickled, or None where it writes none.
        level: the drone's log level.
    """

    worker_class: bytes
    formatter: bytes | None
    level: int


class Lanes(msgspec.Struct, array_like=True, tag=True):
    """To the process: the task classes that this cell is able to perform."""

    names: list[str]


class Perform(msgspec.Struct, array_like=True, tag=True):
    """To the process: perform this, at once, also while a task waits there for a local one.

    Attributes:
        body: a task as it came from the bus; None for a local one.
        task: a local task, its arguments pickled.
        root: what it came of, without its arguments.
        path: where in its tree it stands.
        number: by which its end speaks of it, where it was given ahead.
    """

    body: bytes | None
    task: Task | None = None
    root: Task | None = None
    path: str = ""
    number: int = 0


class Stop(msgspec.Struct, array_like=True, tag=True):
    """To the process: leave."""


class Started(msgspec.Struct, array_like=True, tag=True):
    """To the drone: the Worker is ready, or why it is not.

    Attributes:
        failure: what went wrong.
        made: whether it was in `on_start`, and not before.
    """

    failure: Failure | None = None
    made: bool = True


class PassOn(msgspec.Struct, array_like=True, tag=True):
    """To the drone: put a local task into the Local Queue.

    Attributes:
        number: by which `Wait` speaks of it.
        path: where in its tree it stands.
        task_class: its task class.
        pickled: its arguments.
        tried: whether its failure is for the task that passes it on to handle.
    """

    number: int
    path: str
    task_class: str
    pickled: bytes
    tried: bool = False


class Wait(msgspec.Struct, array_like=True, tag=True):
    """To the drone: the task waits for a local one, and performs others meanwhile; the answer is an `Ended`."""

    number: int
    timeout: float


class AtOnce(msgspec.Struct, array_like=True, tag=True):
    """To the drone: send this now, whatever becomes of the task."""

    message: Message


class Ended(msgspec.Struct, array_like=True, tag=True):
    """To either side: how a task ended.

    Attributes:
        how: its outcome; ``late`` where it has not ended in time.
        failure: what went wrong.
        reason: for which it was rejected.
        result: what a local task returned, pickled.
        sends: what it wants sent, not yet signed.
        number: of the task, where it was given ahead.
        raised: module and name of the exception's type.
        delay: seconds until the next attempt, where the task said so itself.
    """

    how: Literal["succeeded", "failed", "rejected", "discarded", "crashed", "skipped", "late"]
    failure: Failure | None = None
    reason: str = ""
    result: bytes | None = None
    sends: list[Message] = []
    number: int = 0
    raised: tuple[str, str] | None = None
    delay: float | None = None


ToChild = Load | Lanes | Perform | Ended | Stop
FromChild = Started | PassOn | Wait | AtOnce | Ended

_encoder = msgspec.msgpack.Encoder()
TO_CHILD: msgspec.msgpack.Decoder[ToChild] = msgspec.msgpack.Decoder(ToChild)
FROM_CHILD: msgspec.msgpack.Decoder[FromChild] = msgspec.msgpack.Decoder(FromChild)


def ended(outcome: Outcome, *, with_result: bool = True) -> Ended:
    """Write an outcome; raises NotEncodable where the result cannot be pickled."""
    match outcome:
        case Succeeded(result):
            return Ended("succeeded", result=codec.carry(result) if with_result else None)
        case Failed(failure, raised, delay):
            named = None if raised is None else (raised.__module__, raised.__qualname__)
            return Ended("failed", tellable(failure), raised=named, delay=delay)
        case Discarded(failure):
            return Ended("discarded", tellable(failure))
        case Rejected(reason, failure):
            return Ended("rejected", tellable(failure), reason)
        case Crashed(failure):
            return Ended("crashed", tellable(failure))
        case Skipped():
            return Ended("skipped")
        case _:
            assert_never(outcome)


def outcome_of(said: Ended) -> Outcome:
    """Read an outcome; a result stays closed."""
    failure = said.failure or Failure("WorkerCrashed", "its process did not say why")
    match said.how:
        case "succeeded":
            return Succeeded(None if said.result is None else Carried(said.result))
        case "rejected":
            return Rejected(said.reason, failure)
        case "discarded":
            return Discarded(failure)
        case "crashed":
            return Crashed(failure)
        case "skipped":
            return Skipped()
        case _:
            return Failed(failure, None if said.raised is None else _type_of(*said.raised), said.delay)


def _type_of(module: str, name: str) -> type[BaseException] | None:
    """Return an exception's type where this process has it too; nothing is imported for it."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, type) and issubclass(found, BaseException) else None


def encode(message: ToChild | FromChild) -> bytes:
    """Write a message."""
    return _encoder.encode(message)


_performs = msgspec.msgpack.Decoder(Perform)


def pack(asked: Perform) -> bytes:
    """Return a task as the bytes of a datagram."""
    return _encoder.encode(asked)


def unpack(data: bytes) -> Perform:
    """Return the task of a datagram."""
    return _performs.decode(data)
