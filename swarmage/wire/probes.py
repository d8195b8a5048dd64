"""Probes: messages in the queue of a task class by which a drone learns whether anything waits there.

From: drone.silence.  To: drone.subscribing, of whichever drone gets it; and an answer the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swarmage.errors import WireError
from swarmage.wire.envelope import Wire
from swarmage.wire.message import Message
from swarmage.wire.names import is_reply_destination, task_class_of, task_destination
from swarmage.wire.signing import HEADER

EXPIRES = 60.0
"""Seconds after which nobody waits for its answer: so probes do not pile up where nobody takes them."""


def write_probe(wire: Wire, task_class: str, number: str, reply_to: str) -> Message:
    """Write a probe that is to be answered to a reply queue."""
    note = wire.note(task_destination(task_class), {"probe": number, "reply_to": reply_to})
    return note._replace(expires=EXPIRES)


def answer_to(wire: Wire, headers: Mapping[str, str], body: bytes) -> Message | None:
    """Return the answer to a probe, None for anything else."""
    match _read(wire, headers["destination"], headers, body):
        case {"probe": str(number), "reply_to": str(reply_to)} if is_reply_destination(reply_to):
            task_class = task_class_of(headers["destination"])
            return wire.note(reply_to, {"probed": number, "task_class": task_class})._replace(expires=EXPIRES)
    return None


def read_answer(wire: Wire, answers: str, headers: Mapping[str, str], body: bytes) -> tuple[str, str] | None:
    """Return the number of a probe that somebody has taken and its task class, None for anything else."""
    match _read(wire, answers, headers, body):
        case {"probed": str(number), "task_class": str(task_class)}:
            return number, task_class
    return None


def _read(wire: Wire, destination: str, headers: Mapping[str, str], body: bytes) -> Any:
    try:
        return wire.read_note(destination, body, headers.get(HEADER))
    except WireError:
        return None
