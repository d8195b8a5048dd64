"""What is taken from the bus on whichever connection is the present one, and who gets it.

From: the bus.  To: client, drone.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from swarmage.bus import frames
from swarmage.bus.looking import EVERYTHING, Look
from swarmage.errors import ConnectionLost

if TYPE_CHECKING:
    from swarmage.bus.bus import Bus
    from swarmage.bus.connection import Connection
    from swarmage.bus.delivery import Delivery
    from swarmage.bus.subscription import Subscription


_MOST_ENDED = 100


class Subscriptions:
    """The subscriptions of one bus. Whoever adds or drops one holds the bus's lock; the reading thread only looks."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._known: dict[str, Subscription] = {}
        self._ended: deque[str] = deque(maxlen=_MOST_ENDED)  # of those that need no acks, the last ones

    def add(self, subscription: Subscription, connection: Connection | None) -> None:
        """Take from a destination from now on, also after reconnects."""
        self._known[subscription.id] = subscription
        if connection is not None and not connection.lost:
            self._write(subscription, connection)

    def renew(self, connection: Connection) -> None:
        """Subscribe a new connection to everything."""
        for subscription in self._known.values():
            self._write(subscription, connection)

    def drop(self, id_: str, connection: Connection | None) -> None:
        """Take no more for a subscription."""
        subscription = self._known.pop(id_, None)
        if subscription is None or connection is None or self._is_emulated(subscription):
            return
        if subscription.ack == "auto":
            self._ended.append(id_)
        with contextlib.suppress(ConnectionLost):  # so there is nothing to unsubscribe
            connection.write(frames.encode("UNSUBSCRIBE", {"id": id_}))

    def ends(self) -> list[bytes]:
        """Return the frames that end all of them before a goodbye.

        RabbitMQ forgets acks of a quorum queue that it has not passed on when a connection ends; the end of a
        subscription comes behind them, and is waited for. Where the bus gives back, a goodbye says all there is to say.
        """
        if self._bus.dialect.gives_back:
            return []
        known = tuple(self._known.values())
        return [frames.encode("UNSUBSCRIBE", {"id": each.id}) for each in known if not self._is_emulated(each)]

    def holds(self, subscription: Subscription) -> bool:
        """Say whether a subscription is still wanted."""
        return self._known.get(subscription.id) is subscription

    def may_be_late(self, id_: str) -> bool:
        """Say whether a message that comes behind the end of a subscription may be lost: nobody will miss it."""
        return id_ in self._ended

    def deliver(self, arrived: Mapping[str, list[Delivery]]) -> None:
        """Hand out what was read, by the ids of the subscriptions."""
        for id_, deliveries in arrived.items():
            subscription = self._known.get(id_)
            if subscription is not None:
                subscription.receive(deliveries)
            else:  # they were on their way when it was dropped
                self._bus.give_back(deliveries)

    def give_back(self, deliveries: Sequence[Delivery]) -> None:
        """Hand back messages, on a bus that takes them for free; those that need no ack nobody else would get."""
        for delivery in deliveries:
            if "ack" in delivery.headers:
                with contextlib.suppress(ConnectionLost):  # whose end gives all of them back
                    delivery.connection.write(self._bus.dialect.give_back(delivery.ack_id))

    def _is_emulated(self, subscription: Subscription) -> bool:
        return subscription.browser and not self._bus.dialect.browses

    def _write(self, subscription: Subscription, connection: Connection) -> None:
        if self._is_emulated(subscription):
            Look(self._bus, subscription).start()
            return
        headers = {"id": subscription.id, "destination": subscription.destination, "ack": subscription.ack}
        prefetch = EVERYTHING if subscription.browser else subscription.prefetch  # a look has no acks to go on with
        headers |= self._bus.dialect.subscribe(subscription.destination, prefetch, exclusive=subscription.exclusive)
        headers |= subscription.more
        if subscription.browser:
            headers["browser"] = "true"
        with contextlib.suppress(ConnectionLost):  # the next one will have it
            connection.write(frames.encode("SUBSCRIBE", headers))
