"""SEND: a frame becomes a message.

From: commands.  To: hub.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from swarmage.broker.entrance.rights import check_send
from swarmage.broker.queues import dedupe
from swarmage.broker.queues.groups import GROUP, group_of
from swarmage.broker.queues.message import LASTING, Message, Special
from swarmage.broker.queues.router import QUEUE, TEMPORARY, TOPIC
from swarmage.broker.queues.values import A_VALUE, VALUE
from swarmage.broker.refused import Refused
from swarmage.broker.sessions.encoding import escape
from swarmage.broker.sessions.frames import Frame

if TYPE_CHECKING:
    from swarmage.broker.sessions.session import Session

_NOT_PASSED_ON = frozenset(
    {
        "receipt",
        "transaction",
        "message-id",
        "subscription",
        "ack",
        "redelivered",
        "delivery-count",
        "browser",
        "JMSXGroupFirstForConsumer",
    }
)
_CHANGED = _NOT_PASSED_ON - {"receipt"}
_REPLACED = _NOT_PASSED_ON | {"destination", "content-length"}
_BEHIND_COMMAND = len("SEND\n")
_PRIORITIES = {str(priority): priority for priority in range(10)}
_DELAYS = ("delay", "AMQ_SCHEDULED_DELAY")
_OPTIONS = frozenset({"priority", "expires", "persistent", "reply-to", GROUP, *_DELAYS, *dedupe.HEADERS})
_LONGEST_DELAY_MS = 10 * 365 * 86_400_000


def build(session: Session, frame: Frame) -> Message:
    """Make the message that a SEND frame asks for.

    Raises:
        Refused: a header is missing or wrong, or the destination does not exist.
    """
    headers = frame.headers
    destination = headers.get("destination")
    if not destination:
        raise Refused("SEND needs a destination header")
    hub = session.hub
    target = destination
    if destination not in hub.router.queues:  # the name of one that is there was looked at when it was made
        target = hub.router.resolve(session, destination)
    check_send(session, target)
    plain = frame.plain
    special = not _OPTIONS.isdisjoint(headers)
    if special and headers.get("reply-to", "").startswith(TEMPORARY):
        headers = {**headers, "reply-to": session.reply_to(headers["reply-to"])}
        plain = None
    body = frame.body
    # What needs no change is passed on as it came, because this is done for every message.
    if plain is not None and "content-length" in headers and _CHANGED.isdisjoint(headers):
        if "receipt" in headers:  # its line begins as no other does
            plain = plain.replace(b"\nreceipt:%b" % headers["receipt"].encode(), b"", 1)
        head = plain[_BEHIND_COMMAND:] + b"\n\n"
    elif plain is not None:
        lines = "".join([f"{name}:{value}\n" for name, value in headers.items() if name not in _REPLACED])
        head = f"destination:{destination}\n{lines}content-length:{len(body)}\n\n".encode()
    else:
        head = _escaped_head(headers, destination, len(body))
    message = Message(hub.next_number(), target, head, body)
    message.stored = target.startswith(QUEUE)
    if not message.stored and (hub.records.durables or "transaction" in headers) and target.startswith(TOPIC):
        message.special = LASTING
    if not message.stored and target.startswith(VALUE):
        _make_value(message, special=special)
    elif special:
        _apply(session, headers, message)
    return message


def _make_value(message: Message, *, special: bool) -> None:
    if special:
        raise Refused(f"a value takes none of {', '.join(sorted(_OPTIONS))}")
    message.stored, message.special = True, A_VALUE


def _escaped_head(headers: dict[str, str], destination: str, length: int) -> bytes:
    kept = [(escape(name), escape(value)) for name, value in headers.items() if name not in _REPLACED]
    lines = "".join([f"{name}:{value}\n" for name, value in kept])
    return f"destination:{escape(destination)}\n{lines}content-length:{length}\n\n".encode()


def _apply(session: Session, headers: dict[str, str], message: Message) -> None:
    priority = headers.get("priority")
    if priority is not None:
        known = _PRIORITIES.get(priority)
        message.priority = min(whole(headers, "priority"), 9) if known is None else known
    if headers.get("persistent") == "false":
        message.stored = False
        message.special = None
    key = dedupe.key_of(headers, message.destination)
    if key is not None:
        message.special = Special(key, lasting=message.special is not None)
    if "expires" in headers:
        message.expires = whole(headers, "expires")
    if GROUP in headers:
        message.group = group_of(message.head)
    if "delay" not in headers and "AMQ_SCHEDULED_DELAY" not in headers:
        return
    delay = min(whole(headers, "delay") or whole(headers, "AMQ_SCHEDULED_DELAY"), _LONGEST_DELAY_MS)
    if delay:
        clock = session.hub.clock
        message.release = clock.monotonic() + delay / 1000
        message.due = int(clock.wall() * 1000) + delay


def whole(headers: dict[str, str], name: str) -> int:
    """Read a header that is a whole number, 0 where it is absent.

    Raises:
        Refused: it is something else.
    """
    text = headers.get(name, "0")
    if not (text.isascii() and text.isdigit()) or len(text) > 15:
        raise Refused(f"{name} is not a whole number: {text[:40]!r}")
    return int(text)
