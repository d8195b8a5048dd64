"""Changing the standing orders.

From: your program, `swarmage cancel` and others.  To: bus.
"""

from __future__ import annotations

import logging
import secrets
from queue import Empty, SimpleQueue
from typing import NamedTuple

from swarmage.bus import frames
from swarmage.bus.bus import Bus
from swarmage.bus.delivery import Delivery
from swarmage.bus.publish import publish
from swarmage.bus.subscription import Subscription
from swarmage.clock import Clock
from swarmage.errors import ReplyTimeout, SwarmageError, WireError
from swarmage.wire.envelope import Wire
from swarmage.wire.names import CONTROL, STATE
from swarmage.wire.orders import Orders, merge, read_orders, write_orders
from swarmage.wire.signing import HEADER, signed_by

logger = logging.getLogger("swarmage.client")

MOST_PARTS = 16
"""Messages in the state queue from which on a change makes one of them: each drone that starts reads all."""

TICK = 0.001
"""Seconds: what is ordered after having seen an order is newer than it, whatever the clock here says."""


class Found(NamedTuple):
    """The standing orders, of how many messages they are made, and whether the key that signs signed all of them."""

    orders: Orders
    parts: int
    current: bool = True


def read_standing(bus: Bus, wire: Wire, timeout: float, clock: Clock) -> Found:
    """Look at the standing orders.

    Raises:
        ReplyTimeout: the bus does not show them in time.
    """
    parts: list[Orders] = []
    current = True
    with _Queue(bus, timeout, clock, browser=True) as queue:
        while (delivery := queue.next()) is not None:
            if delivery.headers.get("browser") == "end":
                return Found(merge(parts, clock.wall()), len(parts), current)
            part = _read(wire, delivery)
            if part is not None:
                parts.append(part)
                current = current and signed_by(delivery.headers[HEADER]) == wire.signs_as()
    raise ReplyTimeout(f"the bus has not shown the standing orders in {STATE} within {timeout:.1f} s; try again")


def change(bus: Bus, wire: Wire, timeout: float, clock: Clock, part: Orders) -> None:
    """Add to the standing orders; back when the bus has the change on disk, and the drones have been told.

    Args:
        bus: where they stand.
        wire: writes them.
        timeout: seconds that each step may take.
        clock: measures them, and dates the change.
        part: what changes; the times in it are replaced by the present.

    Raises:
        ReplyTimeout: the bus does not show the present orders in time.
        InsertTimeout: the bus does not confirm in time; the change may have been made.
    """
    found = read_standing(bus, wire, timeout, clock)
    now = max(round(clock.wall(), 3), found.orders.newest + TICK)
    dated = Orders(
        paused={name: (value, now) for name, (value, _) in part.paused.items()},
        concurrency={name: (value, now) for name, (value, _) in part.concurrency.items()},
        cancelled={name: (value, now) for name, (value, _) in part.cancelled.items()},
    )
    publish(bus, [write_orders(wire, dated)], timeout, clock)
    bus.connection(timeout).write(bus.send_frame(wire.note(CONTROL, {"say": "orders"})))
    many = found.parts >= MOST_PARTS or not found.current
    if many and bus.dialect.browses:  # else they are in a stream, of which nothing is taken
        _unite(bus, wire, timeout, clock)


def _unite(bus: Bus, wire: Wire, timeout: float, clock: Clock) -> None:
    """Make one message of those in the state queue that nobody else holds.

    The new one is on disk before the old ones are acked: who is killed in between leaves both, which say the same.
    """
    held: list[tuple[Delivery, Orders]] = []
    others: list[Delivery] = []
    with _Queue(bus, min(timeout, 1.0), clock, prefetch=1000) as queue:
        while len(held) < MOST_PARTS and (delivery := queue.next()) is not None:
            part = _read(wire, delivery)
            if part is None:
                others.append(delivery)
            else:
                held.append((delivery, part))
        bus.give_back(others)
        deliveries = [delivery for delivery, _ in held]
        if len(held) < 2:
            bus.give_back(deliveries)
            return
        try:
            publish(bus, [write_orders(wire, merge([part for _, part in held], clock.wall()))], timeout, clock)
            for delivery in deliveries:  # before the subscription ends: elsewhere an ack that comes later is ignored
                delivery.connection.write(frames.ack(delivery.ack_id))
        except SwarmageError as error:  # the change itself is made
            logger.info("the standing orders are united another time: %s", error)
            bus.give_back(deliveries)


def _read(wire: Wire, delivery: Delivery) -> Orders | None:
    try:
        return read_orders(wire, delivery.body, delivery.headers.get(HEADER))
    except WireError as error:
        logger.warning("a message in %s is ignored: %s", STATE, error)
        return None


class _Queue:
    """The state queue, message by message, for as long as the block lasts."""

    def __init__(self, bus: Bus, timeout: float, clock: Clock, *, browser: bool = False, prefetch: int = 1) -> None:
        self._bus = bus
        self._clock = clock
        self._deadline = clock.monotonic() + timeout
        self._heard: SimpleQueue[Delivery] = SimpleQueue()
        self._subscription = Subscription(
            id=f"state.{secrets.token_hex(8)}",
            destination=STATE,
            receive=self._receive,
            browser=browser,
            prefetch=prefetch,
        )

    def __enter__(self) -> _Queue:
        self._bus.subscribe(self._subscription)
        return self

    def _receive(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            self._heard.put(delivery)

    def next(self) -> Delivery | None:
        """Return the next message, None when the time is over."""
        try:
            return self._heard.get(timeout=max(0.0, self._deadline - self._clock.monotonic()))
        except Empty:
            return None

    def __exit__(self, *_: object) -> None:
        self._bus.unsubscribe(self._subscription.id)
        if not self._subscription.browser:
            while not self._heard.empty():
                self._bus.give_back([self._heard.get()])
