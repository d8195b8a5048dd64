"""Which dialect a bus speaks."""

from __future__ import annotations

from swarmage.bus.dialects.activemq import ActiveMQDialect
from swarmage.bus.dialects.artemis import ArtemisDialect
from swarmage.bus.dialects.dialect import Dialect
from swarmage.bus.dialects.embedded import EmbeddedDialect
from swarmage.bus.dialects.rabbitmq import RabbitMQDialect
from swarmage.errors import BusRefused
from swarmage.settings import Address

_BY_SERVER = {"swarmage": "embedded", "RabbitMQ": "rabbitmq", "ActiveMQ": "activemq", "ActiveMQ-Artemis": "artemis"}


def dialect_of(server: str, address: Address) -> Dialect:
    """Return the dialect of a bus by the ``server`` header of its CONNECTED frame, or by its URL's ``dialect``.

    Raises:
        BusRefused: it is a bus that this version does not know, or the URL has an option that is for another one.
    """
    name = address.dialect or _BY_SERVER.get(server.partition("/")[0], "")
    if name in {"embedded", "activemq", "artemis"}:
        for option in ("queues", "management"):
            if value := getattr(address, option):
                raise BusRefused(
                    f"?{option}={value} in the bus's URL is for RabbitMQ, and {server!r} answers there; leave it out"
                )
    if name == "embedded" and address.ahead:
        raise BusRefused(
            f"?ahead={address.ahead} in the bus's URL is for buses of others; our own does that by itself; leave it out"
        )
    match name:
        case "embedded":
            return EmbeddedDialect()
        case "rabbitmq":
            return RabbitMQDialect(address.queues or "quorum")
        case "activemq":
            return ActiveMQDialect()
        case "artemis":
            return ArtemisDialect()
    raise BusRefused(
        f"the bus there calls itself {server or 'nothing'!r}; this version works with RabbitMQ, ActiveMQ Classic and"
        " swarmage's own bus, start one with `swarmage up` or `swarmage bus`"
    )
