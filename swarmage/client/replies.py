"""One subscription for all replies to one client, on each of its buses.

From: bus.  To: reply.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Sequence
from typing import Any
from weakref import WeakValueDictionary

from swarmage.bus import frames
from swarmage.bus.bus import Bus
from swarmage.bus.delivery import Delivery
from swarmage.bus.subscription import Subscription
from swarmage.client.reply import Reply
from swarmage.errors import ConnectionLost, SwarmageError, WireError
from swarmage.wire.envelope import ReplyBody, Wire
from swarmage.wire.names import reply_destination
from swarmage.wire.signing import HEADER

logger = logging.getLogger("swarmage.client")

PREFETCH = 5000


class Replies:
    """Hands each reply to who waits for it.

    The queue has a name of the client's own, not a temporary one, so that replies outlive a lost connection.
    Replies that nobody holds any more are taken and forgotten.
    """

    def __init__(self, buses: Sequence[Bus], wire: Wire) -> None:
        self.destination = reply_destination(secrets.token_hex(8))
        self._buses = buses
        self._wire = wire
        self._waiting: WeakValueDictionary[str, Reply[Any]] = WeakValueDictionary()
        self._lock = threading.Lock()
        self._subscribed = False

    def expect(self, reply: Reply[Any]) -> str:
        """Register a reply before its task is sent; return the destination it will come to."""
        with self._lock:
            if not self._subscribed:
                self._subscribed = True
                for bus in self._buses:
                    bus.subscribe(
                        Subscription(
                            id="replies",
                            destination=self.destination,
                            receive=self._receive,
                            ack="client",
                            prefetch=PREFETCH,
                        )
                    )
            self._waiting[reply.id] = reply
        return self.destination

    @staticmethod
    def _deliver(reply: Reply[Any], body: ReplyBody) -> None:
        try:
            reply.heard.deliver(body)
        except Exception:  # whoever waits for this one wrote what failed; the others' replies are none of its business
            logger.exception("the reply to %s could not be delivered", reply.id)

    def abandon(self, error: SwarmageError) -> None:
        """Tell everybody who still waits that nothing will come any more."""
        for reply in list(self._waiting.values()):
            reply.heard.abandon(error)

    def _receive(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            headers = delivery.headers
            try:
                body = self._wire.read_reply(self.destination, delivery.body, headers.get(HEADER))
            except WireError as error:
                logger.warning("a reply is ignored: %s", error)
                continue
            reply = self._waiting.get(body.id)
            if reply is not None:
                self._deliver(reply, body)
        try:
            last = deliveries[-1]  # ack:client is cumulative ("SUBSCRIBE ack Header"): one ACK for all of them
            last.connection.write(frames.ack(last.ack_id))
        except ConnectionLost:
            logger.debug("replies come again: their connection was lost")
