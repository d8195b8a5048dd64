"""ACK and NACK: which messages a frame names, and what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swarmage.broker.queues.burial import DEAD, REJECTED, bury
from swarmage.broker.queues.message import Message
from swarmage.broker.queues.release import give_back
from swarmage.broker.refused import Refused
from swarmage.broker.sessions.frames import Frame

if TYPE_CHECKING:
    from swarmage.broker.sessions.session import Session


def acknowledge(session: Session, frame: Frame) -> None:
    """Settle what an ACK names: it is done."""
    message = named(session, frame)
    holder = message.holder
    if holder is not None and not holder.cumulative:  # the usual case, without a list
        holder.settled(message)
        session.hub.journal.remove(message)
        return
    for each in covered(session, message):
        _settle(each)
        session.hub.journal.remove(each)


def reject(session: Session, frame: Frame) -> None:
    """Settle what a NACK names: back to the queue, or with ``requeue:false`` to the dead letters.

    A dead letter stays where it is, so that what nobody wants is not moved about, or lost, for ever.
    """
    headers = frame.headers
    requeue = headers.get("requeue", "true") != "false"
    counted = headers.get("count", "true") != "false"
    reason = headers.get("reason")
    for message in covered(session, named(session, frame)):
        holder = message.holder
        _settle(message)
        if not requeue and not message.destination.startswith(DEAD):
            bury(session.hub, message, message.count + counted, reason or REJECTED)
        elif holder is not None:
            give_back(session, holder.queue, message, counted=counted, reason=reason)


def named(session: Session, frame: Frame) -> Message:
    """Return the message that an ACK or NACK frame is about.

    Raises:
        Refused: this connection holds no such message.
    """
    headers = frame.headers
    text = headers.get("id" if session.version == "1.2" else "message-id")
    try:
        message = session.unacked[int(text or "")]
    except (ValueError, KeyError):
        what = "names no message" if text is None else f"names {text[:40]!r}, which this connection does not hold"
        raise Refused(f"{frame.command} {what}") from None
    if session.version == "1.1" and message.holder and headers.get("subscription") != message.holder.id:
        raise Refused(f"{frame.command} names another subscription than the message's")
    return message


def covered(session: Session, message: Message) -> list[Message]:
    """Return everything that settling this message settles, in order of delivery."""
    holder = message.holder
    if holder is None or not holder.cumulative:
        return [message]
    result = []
    for each in session.unacked.values():
        if each.holder is holder:
            result.append(each)
        if each is message:
            break
    return result


def _settle(message: Message) -> None:
    assert message.holder is not None
    message.holder.settled(message)
