"""The standing orders as a drone knows them: read when it starts, whenever its connection is a new one, and on demand.

From: bus.  To: control, intake.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from swarmage.bus.bus import Bus
from swarmage.bus.delivery import Delivery
from swarmage.bus.subscription import Subscription
from swarmage.clock import Clock
from swarmage.errors import BusUnreachable, WireError
from swarmage.wire.envelope import Wire
from swarmage.wire.names import STATE
from swarmage.wire.orders import Orders, merge, read_orders
from swarmage.wire.signing import HEADER

logger = logging.getLogger("swarmage.drone")

SUBSCRIPTION = "state"


class Standing:
    """What the reading thread has read last. Other threads only look.

    Attributes:
        orders: the orders.
        cancelled: until when a task is cancelled, by its id: what intake looks into.
    """

    def __init__(self) -> None:
        self.orders = Orders()
        self.cancelled: Mapping[str, float] = {}

    def take(self, orders: Orders) -> None:
        """Replace what is known."""
        self.orders = orders
        self.cancelled = {task_id: until for task_id, (until, _) in orders.cancelled.items()}


NONE = Standing()
"""Of a cell that takes no orders."""


class StandingOrders:
    """Looks at the state queue without taking from it.

    The subscription stays, so that a new connection shows the queue again, before the tasks: it is the older one.
    """

    def __init__(self, bus: Bus, wire: Wire, clock: Clock, on_read: Callable[[], None]) -> None:
        self.standing = Standing()
        self._bus = bus
        self._wire = wire
        self._clock = clock
        self._on_read = on_read
        self._lock = threading.Lock()  # guards the two below
        self._looking = False
        self._again = False
        self._connection: object = None  # the reading thread's, as is all below
        self._parts: list[Orders] = []
        self._read = threading.Event()

    def begin(self, timeout: float) -> None:
        """Look for the first time, and return when the orders are known.

        Raises:
            BusUnreachable: the bus does not show them within `timeout` seconds.
        """
        self.look()
        if not self._read.wait(timeout):
            raise BusUnreachable(
                f"the bus at {self._bus.address} has not shown the standing orders in {STATE} within {timeout:.0f} s;"
                " may this user subscribe to it?"
            )

    def look(self) -> None:
        """Read the orders anew, or, while that is being done, once more afterwards. Not in the reading thread."""
        with self._lock:
            self._again = self._looking
            if self._looking:
                return
            self._looking = True
        self._bus.unsubscribe(SUBSCRIPTION)
        self._bus.subscribe(Subscription(id=SUBSCRIPTION, destination=STATE, receive=self._receive, browser=True))

    def look_again(self) -> None:
        """Look if somebody asked for it while the orders were read last. Called when they have been."""
        with self._lock:
            again = self._again and not self._looking
        if again:
            self.look()

    def _receive(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            if delivery.connection is not self._connection:
                self._connection, self._parts = delivery.connection, []
            if delivery.headers.get("browser") == "end":
                self._finish()
                continue
            try:
                self._parts.append(read_orders(self._wire, delivery.body, delivery.headers.get(HEADER)))
            except WireError as error:
                logger.warning("a message in %s is ignored: %s", STATE, error)

    def _finish(self) -> None:
        self.standing.take(merge(self._parts, self._clock.wall()))
        self._parts = []
        self._read.set()
        with self._lock:
            self._looking = False
        self._on_read()
