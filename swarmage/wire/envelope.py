"""Tasks, replies and dead letters to signed messages and back.

From: client, drone.finalize.  To: bus; and the other way round.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from swarmage.clock import Clock
from swarmage.errors import ConfigError, NotEncodable, Unreadable
from swarmage.keyring import KeyRing
from swarmage.outcome import Failure
from swarmage.task import Task
from swarmage.wire import codec, names
from swarmage.wire.message import Message
from swarmage.wire.signing import Signer

MAX_BODY = 4 * 1024 * 1024 - 64 * 1024
"""Bytes; the embedded bus and RabbitMQ refuse frames over 4 MiB, headers included."""

REPLY_EXPIRES = 24 * 3600.0
"""Seconds a reply waits for an originator that does not come back."""


class ReplyBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One answer to an originator.

    Attributes:
        id: identity of the task.
        kind: ``result`` and ``error`` end the task, ``part`` is one of several responses, ``progress`` a sign of life,
            ``begun`` says that a worker performs it now.
        attempt: the attempt that answers.
        value: the result or part; for ``progress`` [done, total, text].
        pickled: the value by cloudpickle where JSON cannot carry it.
        failure: what went wrong, for ``error``.
        place: of a part, among those of its run: what comes twice is known by it, and what comes late. Of a result that
            of the last part, where there are any: those that have not come yet are on their way.
    """

    id: str
    kind: Literal["result", "error", "part", "progress", "begun"]
    attempt: int = 1
    value: Any = None
    pickled: bytes | None = None
    failure: Failure | None = None
    place: tuple[str, int] | None = None


class DeadBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A dead letter.

    Attributes:
        reason: why it is here, one of the words in docs/wire-format.md.
        destination: where the message came from.
        died: when, seconds since the epoch.
        host: machine of the drone that gave up.
        failure: the last error.
        task: the task, if it could be read and its signature was good.
        raw: the message's body as it came, where the task is not given.
        signature: the message's signature as it came, where the task is not given.
        cut: how many bytes at the end of `raw` are missing, for it was too large for a dead letter.
    """

    reason: str
    destination: str
    died: float
    host: str
    failure: Failure
    task: Task | None = None
    raw: bytes | None = None
    signature: str | None = None
    cut: int = 0


_MOST_RAW = 2 * 1024 * 1024  # a third more in base64
# with a task of MAX_BODY still within what the bus takes
_MOST_REASON, _MOST_MESSAGE, _MOST_TRACEBACK = 200, 1000, 8000


def tellable(failure: Failure) -> Failure:
    """Return a failure that JSON can say: foreign text may hold half characters, and be of any length."""
    return Failure(
        _sayable(failure.kind[:200]),
        _sayable(failure.message[:_MOST_MESSAGE]),
        _sayable(failure.traceback[-_MOST_TRACEBACK:]),
    )


def _sayable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _destination_of(task: Task) -> str:
    if task.key is None:
        return names.task_destination(task.task_class)
    return names.keyed_destination(names.kind_of(task.task_class))


_tasks = msgspec.json.Decoder(Task)
_replies = msgspec.json.Decoder(ReplyBody)
_dead = msgspec.json.Decoder(DeadBody)
_anything: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


class Wire:
    """Writes and reads everything that swarmage says on the bus, with the keys of one ring."""

    def __init__(self, keys: bytes | KeyRing, clock: Clock) -> None:
        self._signer = Signer(keys)
        self.follow_keys, self.signs_as = self._signer.look, self._signer.signs_as
        self._clock = clock

    def task(self, task: Task) -> Message:
        """Write a task; its ``issued`` is set here if nobody has.

        Raises:
            NotEncodable: its arguments cannot be carried, or are too large for the bus.
        """
        if not task.issued:
            task = msgspec.structs.replace(task, issued=round(self._clock.wall(), 3))
        body = codec.to_json(task)
        if body is None:
            pickled = codec.pickle((tuple(task.args), dict(task.kwargs)), f"the arguments of task {task.task_class}")
            body = codec.to_json(msgspec.structs.replace(task, args=(), kwargs={}, pickled=pickled))
            assert body is not None
        destination = _destination_of(task)
        if task.attempt == 1 and not (task.suspect or task.crashes):  # a copy says a little more: MAX_BODY leaves room
            self._check_size(body, f"task {task.task_class}")
        signature = self._signer.sign(destination, body)
        group = None if task.key is None else names.group_of(task.key)
        return Message(destination, body, signature, task.delay, task.priority, group=group)

    def read_task(self, destination: str, body: bytes, signature: str | None) -> Task:
        """Check and read a task; pickled arguments stay closed until `arguments`.

        Raises:
            BadSignature: its signature is missing or wrong.
            Unreadable: it is not a task, or stands in another task class's queue.
        """
        self._signer.verify(destination, body, signature)
        try:
            task = codec.read_struct(_tasks, body, "a task")
        except ConfigError as error:
            raise Unreadable(str(error)) from None
        if task.originator is not None and not names.is_reply_destination(task.originator):
            raise Unreadable(f"the originator {task.originator[:100]!r} is not a reply queue")
        if destination != _destination_of(task):
            raise Unreadable(f"a task of class {task.task_class} in {destination}")
        return task

    def reply(self, destination: str, reply: ReplyBody) -> Message:
        """Write a reply.

        Raises:
            NotEncodable: its value cannot be carried, or is too large for the bus.
        """
        if reply.failure is not None:
            reply = msgspec.structs.replace(reply, failure=tellable(reply.failure))
        body = codec.to_json(reply)
        if body is None:
            pickled = codec.pickle(reply.value, f"the result of task {reply.id}")
            body = codec.to_json(msgspec.structs.replace(reply, value=None, pickled=pickled))
            assert body is not None
        self._check_size(body, f"the result of task {reply.id}")
        signature = self._signer.sign(destination, body)
        lasting = reply.kind not in {"progress", "begun"}
        return Message(destination, body, signature, expires=REPLY_EXPIRES, persistent=lasting)

    def read_reply(self, destination: str, body: bytes, signature: str | None) -> ReplyBody:
        """Check and read a reply, its value unpickled.

        Raises:
            BadSignature: its signature is missing or wrong.
            Unreadable: it is not a reply, or its value cannot be read here.
        """
        self._signer.verify(destination, body, signature)
        reply = codec.read_struct(_replies, body, "a reply")
        if reply.pickled is not None:
            reply = msgspec.structs.replace(reply, value=codec.unpickle(reply.pickled), pickled=None)
        return reply

    def dead(self, letter: DeadBody) -> Message:
        """Write a dead letter; what is too long of a failure, or of a message nobody can read, is cut."""
        raw = letter.raw
        reason = _sayable(letter.reason[:_MOST_REASON])
        letter = msgspec.structs.replace(letter, reason=reason, failure=tellable(letter.failure))
        if raw is not None and len(raw) > _MOST_RAW:
            letter = msgspec.structs.replace(letter, raw=raw[:_MOST_RAW], cut=len(raw) - _MOST_RAW)
        body = codec.to_json(letter)
        assert body is not None
        return Message(names.DEAD, body, self._signer.sign(names.DEAD, body))

    def read_dead(self, body: bytes, signature: str | None) -> DeadBody:
        """Check and read a dead letter.

        Raises:
            BadSignature: its signature is missing or wrong.
            Unreadable: it is not a dead letter.
        """
        self._signer.verify(names.DEAD, body, signature)
        try:
            return codec.read_struct(_dead, body, "a dead letter")
        except ConfigError as error:
            raise Unreadable(str(error)) from None

    def note(self, destination: str, value: Any, *, lasting: bool = False) -> Message:
        """Write something small, which need not outlive the bus unless it is lasting, such as a drone's presence.

        Raises:
            NotEncodable: it is too large for the bus.
        """
        body = codec.to_json(value)
        assert body is not None
        self._check_size(body, f"a note to {destination}")
        return Message(destination, body, self._signer.sign(destination, body), persistent=lasting)

    def read_note(self, destination: str, body: bytes, signature: str | None) -> Any:
        """Check and read a note.

        Raises:
            BadSignature: its signature is missing or wrong.
            Unreadable: it is not JSON.
        """
        self._signer.verify(destination, body, signature)
        return codec.read_struct(_anything, body, "JSON")

    def sign(self, message: Message) -> Message:
        """Return a message, written by a process that has no key, with its signature."""
        return message._replace(signature=self._signer.sign(message.destination, message.body))

    @staticmethod
    def read_figures(body: bytes) -> Any:
        """Read what the bus says of itself, which it does not sign: nothing is done because of it.

        Raises:
            Unreadable: it is not JSON.
        """
        return codec.read_struct(_anything, body, "JSON")

    @staticmethod
    def _check_size(body: bytes, what: str) -> None:
        if len(body) > MAX_BODY:
            raise NotEncodable(
                f"{what} has {len(body)} bytes, the bus takes {MAX_BODY};"
                " put the data in a file or store and pass its name"
            )
