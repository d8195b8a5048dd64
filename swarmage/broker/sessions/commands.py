"""What each client frame does.

From: session.  To: acks, administration, sending, subscribing, transactions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from swarmage.broker.admin.administration import DESTINATIONS, administer
from swarmage.broker.queues.message import Message
from swarmage.broker.refused import Refused
from swarmage.broker.sessions.acks import acknowledge, covered, named, reject
from swarmage.broker.sessions.frames import Frame
from swarmage.broker.sessions.sending import build
from swarmage.broker.sessions.subscribing import subscribe, unsubscribe

if TYPE_CHECKING:
    from swarmage.broker.sessions.session import Session


def _send(session: Session, frame: Frame) -> None:
    if frame.headers.get("destination") in DESTINATIONS:
        administer(session, frame)
        return
    message = build(session, frame)
    transaction = frame.headers.get("transaction")
    if transaction is None:
        session.hub.check((message,))
        session.hub.publish(message)
    else:
        session.transactions.add(transaction, message)


def _ack(session: Session, frame: Frame) -> None:
    transaction = frame.headers.get("transaction")
    if transaction is None:
        acknowledge(session, frame)
    else:
        named(session, frame)
        session.transactions.add(transaction, frame)


def _nack(session: Session, frame: Frame) -> None:
    transaction = frame.headers.get("transaction")
    if transaction is None:
        reject(session, frame)
    else:
        named(session, frame)
        session.transactions.add(transaction, frame)


def _begin(session: Session, frame: Frame) -> None:
    session.transactions.begin(_transaction(frame))


def _abort(session: Session, frame: Frame) -> None:
    session.transactions.end(_transaction(frame))


def _commit(session: Session, frame: Frame) -> None:
    """Apply all or nothing; the journal takes it as one, because nothing flushes in between."""
    steps = session.transactions.end(_transaction(frame))
    settled: set[int] = set()
    for step in steps:
        if isinstance(step, Message):
            session.hub.router.resolve(session, step.destination)
            continue
        message = named(session, step)
        if message.id in settled:
            raise Refused(f"the transaction settles message {message.id} twice")
        settled.update(each.id for each in covered(session, message))
    session.hub.check([step for step in steps if isinstance(step, Message)])
    for step in steps:
        if isinstance(step, Message):
            step.id = session.hub.next_number()  # its place in the queue is that of the COMMIT
            session.hub.publish(step)
        elif step.command == "ACK":
            acknowledge(session, step)
        else:
            reject(session, step)


def _transaction(frame: Frame) -> str:
    name = frame.headers.get("transaction")
    if not name:
        raise Refused(f"{frame.command} needs a transaction header")
    return name


def _disconnect(session: Session, frame: Frame) -> None:
    session.leave(frame.headers.get("receipt"))


def _connect_again(session: Session, frame: Frame) -> None:
    raise Refused("this connection is logged in already")


COMMANDS: dict[str, Callable[[Session, Frame], None]] = {
    "SEND": _send,
    "ACK": _ack,
    "NACK": _nack,
    "SUBSCRIBE": subscribe,
    "UNSUBSCRIBE": unsubscribe,
    "BEGIN": _begin,
    "COMMIT": _commit,
    "ABORT": _abort,
    "DISCONNECT": _disconnect,
    "CONNECT": _connect_again,
    "STOMP": _connect_again,
}
