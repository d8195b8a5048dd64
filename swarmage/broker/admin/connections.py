"""What the bus tells of its connections."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any

from swarmage.broker.queues.subscription import UNLIMITED, Subscription
from swarmage.broker.refused import Refused

if TYPE_CHECKING:
    from swarmage.broker.hub import Hub
    from swarmage.broker.sessions.session import Session

MOST_SUBSCRIPTIONS = 20
"""How many subscriptions of each connection are told when all connections are asked for: an answer has to fit."""


def tell_connections(hub: Hub, only: str = "") -> list[dict[str, Any]]:
    """Return one entry for each connection; for ``only`` this one, with all its subscriptions.

    Raises:
        Refused: there is no such connection.
    """
    if not only:
        return [_tell(session, MOST_SUBSCRIPTIONS) for session in hub.sessions.values()]
    if only not in hub.sessions:
        raise Refused(f"there is no connection {only[:80]!r}; /bus/connections lists them")
    return [_tell(hub.sessions[only], None)]


def _tell(session: Session, most: int | None) -> dict[str, Any]:
    held = Counter(message.holder for message in session.unacked.values())
    pulse = session.pulse
    return {
        "id": session.id,
        "peer": session.peer,
        "login": session.entry.login,
        "version": session.version,
        "since": round(pulse.age(session.hub.clock.monotonic()), 3),
        "heart_beat": {"expected": pulse.expected, "promised": pulse.promised},
        "unacked": len(session.unacked),
        "choked": session.choked,
        "subscription_count": len(session.subscriptions),
        "subscriptions": [_subscription(each, held[each]) for each in islice(session.subscriptions.values(), most)],
    }


def _subscription(subscription: Subscription, held: int) -> dict[str, Any]:
    prefetch = subscription.credit + held
    return {
        "id": subscription.id,
        "destination": subscription.destination,
        "ack": "auto" if subscription.auto else "client" if subscription.cumulative else "client-individual",
        "prefetch": None if prefetch >= UNLIMITED else prefetch,
        "in_flight": held,
    }
