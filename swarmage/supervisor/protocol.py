"""What a supervisor and its child say to each other: one spec down, JSON lines up.

The spec travels in the environment variable SWARMAGE_CHILD, the bus's URL with its passcode in SWARMAGE_URL: nothing
secret stands in argv. The child's stdin says only whether the parent lives: it ends when the parent does.
"""

from __future__ import annotations

import msgspec

from swarmage.errors import SwarmageError, TaskFailed
from swarmage.supervisor.keeping import Keeping

SPEC_VARIABLE = "SWARMAGE_CHILD"

BEAT_SECONDS = 5.0
"""How far the beats of a child are apart that lives."""

GRACE_SECONDS = 30.0
"""What running tasks get to finish in when a drone drains."""

OVERRAN_CODE = 75
"""The exit code of a drone that left because a task has overrun its hard limit."""

MARGIN_SECONDS = 5.0
"""What a child gets on top of that to leave the bus and exit, before it is killed."""


class DroneSpec(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="drone"):
    """One drone process.

    Attributes:
        name: what logs call it.
        targets: where its Workers are.
        concurrency: how many actors of a Worker class, by class name.
        reload: report the source files, so that they can be watched.
        buses: how many buses have such drones.
        holds: a file descriptor to keep open while it lives, so that the bus outlives it.
    """

    name: str
    targets: tuple[str, ...]
    concurrency: dict[str, int]
    reload: bool = False
    buses: int = 1
    holds: int | None = None


class BusSpec(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="bus"):
    """The embedded bus; its first user is that of SWARMAGE_URL, and so is its host where none is named.

    Attributes:
        name: what logs call it.
        data: the folder its messages are kept in.
        ports: tried in this order; 0 = any free one.
        host: where it listens.
        cert: the file of its certificate, with TLS.
        key: the file of the certificate's key.
        users: the file of further users.
        keeping: what its receipts mean, and how much it takes.
    """

    name: str
    data: str
    ports: tuple[int, ...]
    host: str = ""
    cert: str = ""
    key: str = ""
    users: str = ""
    keeping: Keeping = Keeping()


ChildSpec = DroneSpec | BusSpec


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag_field="state", tag="ready"):
    """The child has booted.

    Attributes:
        port: where a bus listens.
        task_classes: what a drone is able to perform.
        files: the source it is made of, where that was asked for.
    """

    port: int = 0
    task_classes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


class Failed(msgspec.Struct, frozen=True, tag_field="state", tag="failed"):
    """The child cannot boot.

    Attributes:
        error: name of a class in `swarmage.errors`.
        message: what is wrong and what to do.
    """

    error: str
    message: str

    def as_error(self) -> SwarmageError:
        """Return the child's error as one of this process."""
        return _kinds(SwarmageError).get(self.error, SwarmageError)(self.message)


def _kinds(root: type[SwarmageError]) -> dict[str, type[SwarmageError]]:
    """Return all errors that are made of one message, by name."""
    kinds = {root.__name__: root}
    for kind in root.__subclasses__():
        kinds |= {} if kind is TaskFailed else _kinds(kind)
    return kinds


class Drained(msgspec.Struct, frozen=True, tag_field="state", tag="drained"):
    """Somebody has asked the drone to leave for good, and it does."""


class Alone(msgspec.Struct, frozen=True, tag_field="state", tag="alone"):
    """A drone performs nothing but one task; should it die now, it died of that.

    Attributes:
        task: its task class and id; empty when it has ended.
    """

    task: str


class Overran(msgspec.Struct, frozen=True, tag_field="state", tag="overran"):
    """A drone leaves because a task has overrun its hard limit.

    Attributes:
        task: its task class and id.
    """

    task: str


class Beat(msgspec.Struct, frozen=True, tag_field="state", tag="beat"):
    """The child lives: what does its work has had its turn."""


Report = Ready | Failed | Drained | Alone | Overran | Beat

_spec_decoder: msgspec.json.Decoder[ChildSpec] = msgspec.json.Decoder(ChildSpec)
_report_decoder: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)


def encode(value: ChildSpec | Report) -> str:
    """Return the value as one line of JSON, without the newline."""
    return msgspec.json.encode(value).decode()


def decode_spec(text: str) -> ChildSpec:
    """Read what a parent wants its child to be."""
    return _spec_decoder.decode(text)


def decode_report(line: bytes) -> Report | None:
    """Read a line from a child; None when it is not a report."""
    try:
        return _report_decoder.decode(line)
    except msgspec.MsgspecError:
        return None
