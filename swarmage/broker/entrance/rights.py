"""What a user may send to and take from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from swarmage.broker.queues.router import REPLY, TOPIC
from swarmage.broker.refused import Refused

if TYPE_CHECKING:
    from swarmage.broker.sessions.session import Session

EVERYTHING = ("/",)
"""The prefix of all destinations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """One user's rights, by how a destination's full name begins.

    Attributes:
        user: the login.
        send: prefixes of what it may send to.
        subscribe: prefixes of what it may subscribe to and browse.
    """

    user: str
    send: tuple[str, ...] = EVERYTHING
    subscribe: tuple[str, ...] = EVERYTHING


def check_send(session: Session, full: str) -> None:
    """Let through what the session's user may send to; its own temporary queues always.

    Raises:
        Refused: it may not.
    """
    rights = session.entry.rights
    if rights is not None and not _covered(rights.send, full) and not full.startswith(f"{REPLY}{session.id}."):
        raise Refused(f"the user {rights.user!r} may not send to {full}")


def check_subscribe(session: Session, full: str) -> None:
    """Let through what the session's user may take from or look at.

    Raises:
        Refused: it may not.
    """
    rights = session.entry.rights
    if rights is not None and not _covered(rights.subscribe, full):
        raise Refused(f"the user {rights.user!r} may not subscribe to {full}")


def _covered(prefixes: tuple[str, ...], full: str) -> bool:
    """Tell whether a name, or all that a pattern of topics matches, begins as allowed.

    ``/topic/a.>`` matches ``/topic/a`` too, so a prefix that ends in a dot covers the name before the dot.
    """
    return full.startswith(prefixes) or (full.startswith(TOPIC) and f"{full}.".startswith(prefixes))
