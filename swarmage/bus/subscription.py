"""What is taken from the bus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from swarmage.bus.delivery import Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What is taken from a destination, again after each reconnect.

    Attributes:
        id: unique within the connection.
        destination: what to take from.
        receive: called in the reading thread with all deliveries of one read; must neither raise nor wait.
        ack: ``auto``, ``client`` or ``client-individual`` (STOMP 1.2, "SUBSCRIBE ack Header").
        prefetch: how many unacknowledged messages the bus may have out here.
        browser: look at the messages and take none.
        exclusive: have the queue alone, or wait until those that came before have left.
        more: headers that only one kind of bus knows.
    """

    id: str
    destination: str
    receive: Callable[[list[Delivery]], None]
    ack: str = "client-individual"
    prefetch: int = 1
    browser: bool = False
    exclusive: bool = False
    more: Mapping[str, str] = field(default_factory=dict)
