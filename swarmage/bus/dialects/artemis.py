"""The words of ActiveMQ Artemis, from its documentation and its source: nobody has tried them on one yet."""

from __future__ import annotations

import logging
from functools import cache

from swarmage.bus.dialects.activemq import ActiveMQDialect
from swarmage.wire.message import Message
from swarmage.wire.names import CONTROL

logger = logging.getLogger(__name__)

WINDOW_BYTES = 2048
"""Bytes for each message of a prefetch, which Artemis counts in bytes: a task with a few arguments takes half of it."""
UNLIMITED = 1000
"""Messages of a prefetch from which on there is no limit: who wants so many wants all there are."""


class ArtemisDialect(ActiveMQDialect):
    """ActiveMQ Artemis 2.16 and later.

    It applies an ACK at once, even in a transaction; it takes a NACK for an ACK; it cannot show a queue.
    """

    name = "ActiveMQ Artemis"
    browses = False

    def __init__(self) -> None:
        """Say once in each process that this is not tested."""
        _warn()

    def translate(self, headers: dict[str, str]) -> None:
        """Write that it was delivered before as on our bus, and what a prefix in its configuration has cut off."""
        super().translate(headers)
        destination = headers.get("destination", "/")
        if not destination.startswith("/"):
            kind = "topic" if f"/topic/{destination}" == CONTROL else "queue"
            headers["destination"] = f"/{kind}/{destination}"

    def send(self, message: Message, now: float) -> str:
        """See `Dialect.send`."""
        lines = super().send(message, now) + f"destination-type:{_routing(message.destination)}\n"
        return lines if message.persistent else lines + "persistent:false\n"  # it keeps all for which nothing is said

    def subscribe(self, destination: str, prefetch: int, *, exclusive: bool = False) -> dict[str, str]:
        """See `Dialect.subscribe`."""
        # 0 is one message, and no other one before its ack
        window = 0 if prefetch == 1 else -1 if prefetch >= UNLIMITED else prefetch * WINDOW_BYTES
        return {"subscription-type": _routing(destination), "consumer-window-size": str(window)}


def _routing(destination: str) -> str:
    """Return the word for a queue, whose messages go to one, or for a topic, whose messages go to all."""
    return "MULTICAST" if destination.startswith("/topic/") else "ANYCAST"


@cache
def _warn() -> None:
    logger.warning(
        "ActiveMQ Artemis is not tested: swarmage speaks to it as its documentation says; try what you rely on, and see"
        " docs/engines.md for the settings it needs"
    )
