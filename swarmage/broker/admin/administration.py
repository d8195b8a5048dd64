"""SEND to ``/bus/…``: what the bus is asked about itself, and told to do with its queues and connections.

From: commands.  To: statistics, connections, draining.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from swarmage.broker.admin.connections import tell_connections
from swarmage.broker.admin.draining import Drain, Mover, Purger, Purpose
from swarmage.broker.admin.statistics import collect
from swarmage.broker.entrance.rights import check_send, check_subscribe
from swarmage.broker.events import event
from swarmage.broker.queues.router import QUEUE, TEMPORARY
from swarmage.broker.refused import Refused
from swarmage.broker.sessions.frames import Frame
from swarmage.broker.sessions.sending import build

if TYPE_CHECKING:
    from swarmage.broker.sessions.session import Session

log = logging.getLogger("swarmage.bus")

Answer = Callable[[Any], None]


class _Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands in the body of a request."""


class Statistics(_Request, frozen=True):
    """The figures of the bus, and those of the queues whose names begin with ``queue``."""

    queue: str = ""


class Connections(_Request, frozen=True):
    """Who is connected; of one ``connection``, all it subscribed to."""

    connection: str = ""


class Purge(_Request, frozen=True):
    """Delete what waits in a queue."""

    queue: str


class Move(_Request, frozen=True):
    """Put what waits in a queue into another one, ``most`` messages at most."""

    origin: str = msgspec.field(name="from")
    to: str
    most: Annotated[int, msgspec.Meta(ge=1)] | None = None


class Disconnect(_Request, frozen=True):
    """End a connection."""

    connection: str


def administer(session: Session, frame: Frame) -> None:
    """Do what a request asks, now or page by page, and send the answer to where it wants it.

    Raises:
        Refused: the user may not ask, or nobody could be answered.
    """
    headers = frame.headers
    destination = headers["destination"]
    check_send(session, destination)
    if "transaction" in headers:
        raise Refused(f"a request to {destination} cannot be part of a transaction")
    target = headers.get("reply-to")
    if not target:
        raise Refused(f"a request to {destination} needs a reply-to header")
    if target.startswith(TEMPORARY):
        target = session.reply_to(target)
    reply = {"destination": target, "content-type": "application/json", "persistent": "false"}
    if "correlation-id" in headers:
        reply["correlation-id"] = headers["correlation-id"]
    build(session, Frame("SEND", reply, b""))  # refused now, when nothing is done yet

    def answer(told: Any) -> None:
        body = msgspec.json.encode(told)
        try:
            session.hub.router.arrive(build(session, Frame("SEND", reply, body)))
        except Refused as gone:
            log.info("%s: nobody to answer: %s", session.peer, gone)

    kind, act = DESTINATIONS[destination]
    try:
        act(session, msgspec.json.decode(frame.body or b"{}", type=kind), answer)
    except msgspec.DecodeError as error:
        answer({"error": f"the body of a request to {destination} is not as docs/bus.md says: {error}"})
    except Refused as refusal:
        answer({"error": str(refusal)})


def _statistics(session: Session, asked: Statistics, answer: Answer) -> None:
    answer(collect(session.hub, _full(asked.queue)))


def _connections(session: Session, asked: Connections, answer: Answer) -> None:
    answer({"ok": tell_connections(session.hub, asked.connection)})


def _purge(session: Session, asked: Purge, answer: Answer) -> None:
    name = _full(asked.queue)
    check_subscribe(session, name)
    _drain(session, name, Purger(session), None, "purged", answer)


def _move(session: Session, asked: Move, answer: Answer) -> None:
    origin, target = _full(asked.origin), session.hub.router.resolve(session, _full(asked.to))
    if origin == target:
        raise Refused(f"from and to are the same queue, {origin}")
    check_subscribe(session, origin)
    check_send(session, target)
    _drain(session, origin, Mover(session, target), asked.most, "moved", answer)


def _drain(session: Session, name: str, purpose: Purpose, most: int | None, done: str, answer: Answer) -> None:
    def ended(count: int, refusal: Refused | None) -> None:
        fields = event("administered", peer=session.peer, login=session.entry.login, done=done, queue=name, count=count)
        log.info("%s: %s %d messages of %s", session.peer, done, count, name, extra=fields)
        answer({"ok": {done: count}} if refusal is None else {"error": f"{refusal}; {count} {done}"})

    Drain(session, name, purpose, most, ended).step()


def _disconnect(session: Session, asked: Disconnect, answer: Answer) -> None:
    other = session.hub.sessions.get(asked.connection)
    if other is None:
        raise Refused(f"there is no connection {asked.connection[:80]!r}; /bus/connections lists them")
    if other is session:
        raise Refused("this is the connection that asks; it ends with a DISCONNECT frame")
    other.refuse(Refused("an administrator ended this connection"), counted=False)
    answer({"ok": {"disconnected": other.id}})


def _full(name: str) -> str:
    """Return a queue's full name.

    Raises:
        Refused: it is none of a queue.
    """
    full = name if name.startswith("/") else QUEUE + name
    if not full.startswith(QUEUE):
        raise Refused(f"{name[:80]!r} is no queue; write /queue/NAME")
    return full


DESTINATIONS: dict[str | None, tuple[type[Any], Callable[[Session, Any, Answer], None]]] = {
    "/bus/statistics": (Statistics, _statistics),
    "/bus/connections": (Connections, _connections),
    "/bus/purge": (Purge, _purge),
    "/bus/move": (Move, _move),
    "/bus/disconnect": (Disconnect, _disconnect),
}
"""What can be asked: the form of the request, and what does it."""
