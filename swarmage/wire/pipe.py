"""What a drone and the process of one of its workers say to each other, over a socket between the two.

Tasks from the bus go to the process as they came, so that nothing of what they carry is opened in the drone. Arguments
and results of local tasks go by cloudpickle, so that they arrive as what they were.
"""

from __future__ import annotations

import socket
import threading
from typing import Any, Literal, assert_never

import msgspec

from swarmage.errors import Unreadable
from swarmage.outcome import Crashed, Failed, Failure, Outcome, Rejected, Skipped, Succeeded
from swarmage.task import Task
from swarmage.wire import codec
from swarmage.wire.codec import Carried
from swarmage.wire.envelope import tellable
from swarmage.wire.message import Message

_CHUNK = 256 * 1024
_LENGTH = 4


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
    """

    number: int
    path: str
    task_class: str
    pickled: bytes


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
    """

    how: Literal["succeeded", "failed", "rejected", "crashed", "skipped", "late"]
    failure: Failure | None = None
    reason: str = ""
    result: bytes | None = None
    sends: list[Message] = []
    number: int = 0


ToChild = Load | Lanes | Perform | Ended | Stop
FromChild = Started | PassOn | Wait | AtOnce | Ended

_encoder = msgspec.msgpack.Encoder()
TO_CHILD: msgspec.msgpack.Decoder[ToChild] = msgspec.msgpack.Decoder(ToChild)
FROM_CHILD: msgspec.msgpack.Decoder[FromChild] = msgspec.msgpack.Decoder(FromChild)


def ended(outcome: Outcome, *, with_result: bool = True) -> Ended:
    """Write an outcome; raises NotEncodable where the result cannot be pickled."""
    match outcome:
        case Succeeded(result):
            if not with_result:
                return Ended("succeeded")
            return Ended("succeeded", result=codec.carry(result))
        case Failed(failure):
            return Ended("failed", tellable(failure))
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
        case "crashed":
            return Crashed(failure)
        case "skipped":
            return Skipped()
        case _:
            return Failed(failure)


_performs = msgspec.msgpack.Decoder(Perform)


def pack(asked: Perform) -> bytes:
    """Return a task as the bytes of a datagram."""
    return _encoder.encode(asked)


def unpack(data: bytes) -> Perform:
    """Return the task of a datagram."""
    return _performs.decode(data)


class Channel:
    """One end of the socket, for messages that are each preceded by their length."""

    def __init__(self, end: socket.socket, decoder: msgspec.msgpack.Decoder[Any]) -> None:
        self._socket = end
        self._decoder = decoder
        self._received = bytearray()
        self._lock = threading.Lock()  # a task may have threads of its own, which report progress

    def fileno(self) -> int:
        """Return the socket's file descriptor."""
        return self._socket.fileno()

    def send(self, message: ToChild | FromChild) -> None:
        """Write a message, whole.

        Raises:
            OSError: the other side is gone, or has not read for as long as the socket's timeout.
        """
        data = _encoder.encode(message)
        with self._lock:
            self._socket.sendall(len(data).to_bytes(_LENGTH, "big") + data)

    def next(self) -> Any:
        """Return the next message of those that have been read, or None.

        Raises:
            Unreadable: somebody else has written to the socket.
        """
        received = self._received
        if len(received) < _LENGTH:
            return None
        end = _LENGTH + int.from_bytes(received[:_LENGTH], "big")
        if len(received) < end:
            return None
        data = bytes(received[_LENGTH:end])
        del received[:end]
        try:
            return self._decoder.decode(data)
        except msgspec.DecodeError as error:
            raise Unreadable(f"not what a worker's process says: {error}") from None

    def read(self) -> bool:
        """Read what is there, and wait if nothing is; say whether there is more to come."""
        try:
            data = self._socket.recv(_CHUNK)
        except ConnectionError:
            return False
        self._received += data
        return bool(data)

    def receive(self) -> Any:
        """Wait for the next message; None when the other side is gone."""
        while True:
            message = self.next()
            if message is not None:
                return message
            if not self.read():
                return None

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
