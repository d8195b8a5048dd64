"""Noticing that nothing comes of a task class although its queue waits, and connecting again then.

From: control.  To: the bus.

A connection can live and a subscription not: the bus may have lost it, or count tasks against its credit that are long
acknowledged. Whether a class is only idle no bus tells in a way that all have. So when nothing has come for a while,
the drone puts a probe behind whatever waits in the queue. Any drone that gets it answers. If nobody does, and still
nothing has come here, something waits that this drone should have had.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from typing import TYPE_CHECKING

from swarmage.bus import frames
from swarmage.bus.connection import Connection
from swarmage.bus.delivery import Delivery
from swarmage.bus.receipt import Receipt
from swarmage.bus.subscription import Subscription
from swarmage.drone.cell import Cell
from swarmage.errors import BusError, BusRefused, ConnectionLost
from swarmage.wire.names import STATUS, reply_destination
from swarmage.wire.probes import answer_to, read_answer, write_probe

if TYPE_CHECKING:
    from swarmage.drone.subscribing import Subscribing

logger = logging.getLogger("swarmage.drone")

LOOK = 1.0
"""Seconds between two looks. They are counted, not timed: a machine that slept makes no subscription silent."""
ANSWER = 10.0
"""Seconds that drones have to answer, from when the bus has the probe; less where less silence is allowed."""
MOST_PATIENCE = 60
"""How many times longer it waits at last, where connecting again has not helped: that repeats what runs elsewhere."""


def answer_probe(cell: Cell, delivery: Delivery) -> bool:
    """Answer what may be a probe, and acknowledge it; return whether it was one. In the reading thread."""
    answer = answer_to(cell.wire, delivery.headers, delivery.body)
    if answer is None:
        return False
    with contextlib.suppress(ConnectionLost):  # so it comes again, or to another drone
        delivery.connection.write(cell.bus.send_frame(answer), frames.ack(delivery.ack_id))
    return True


class Silence:
    """What one drone does about classes of which nothing comes. Owned by the drone's thread."""

    def __init__(self, cell: Cell, subscribing: Subscribing) -> None:
        self._cell = cell
        self._subscribing = subscribing
        self._name = f"{STATUS}{secrets.token_hex(8)}"
        self._answers = reply_destination(self._name)
        self._answered: set[tuple[str, str]] = set()  # numbers and classes; the reading thread adds to it
        self._look_at = 0.0
        self._connection: Connection | None = None  # of which all that follows is true
        self._silent: dict[str, float] = {}  # seconds in which nothing came, by task class
        self._patience: dict[str, int] = {}
        self._probed: set[str] = set()  # the classes whose probe is out
        self._number = ""
        self._receipt = Receipt()
        self._waited = self._unconfirmed = 0.0
        self._refused = False

    def look(self) -> None:
        """Look after what no message tells of; called now and then."""
        if self._connection is not None and self._connection.lost:
            self._begin_anew(None)  # at once: the next one may have been refused what is asked for here
        limit, now = self._cell.bus.address.silence, self._cell.clock.monotonic()
        if not limit or self._refused or now < self._look_at:
            return
        step = min(LOOK, limit / 4)
        self._look_at = now + step
        try:
            connection = self._cell.bus.connection(0)
        except BusError:
            connection = None
        if connection is None or connection is not self._connection:
            self._begin_anew(connection)
            return
        self._listen(step)
        if self._probed:
            self._wait_for_answers(connection, step, min(ANSWER, limit))
            return
        silent = [name for name, seconds in self._silent.items() if seconds >= limit * self._patience.get(name, 1)]
        silent = [name for name in silent if self._subscribing.has_room(name)]
        if silent:
            self._probe(silent, connection)

    def _begin_anew(self, connection: Connection | None) -> None:
        if self._probed and self._connection is not None and self._connection.refused is not None:
            self._give_up(self._connection.refused)
        self._end_probing()
        self._connection = connection
        self._silent.clear()
        self._subscribing.take_heard()

    def _listen(self, step: float) -> None:
        """Count the silence of each class from its last sign of life."""
        heard = self._subscribing.take_heard()
        for name in self._subscribing.watched:
            if name in heard:
                self._silent[name] = 0.0
                self._patience.pop(name, None)
            else:
                self._silent[name] = self._silent.get(name, 0.0) + step

    def _probe(self, silent: list[str], connection: Connection) -> None:
        bus, wire = self._cell.bus, self._cell.wire
        self._number = secrets.token_hex(8)
        self._receipt = Receipt(len(silent))
        self._waited = self._unconfirmed = 0.0
        self._probed = set(silent)
        bus.subscribe(Subscription(id=self._name, destination=self._answers, receive=self._receive, ack="auto"))
        try:
            connection.write(
                *(
                    bus.send_frame(
                        write_probe(wire, name, self._number, self._answers),
                        receipt=connection.receipts.expect_for(self._receipt),
                    )
                    for name in silent
                )
            )
        except ConnectionLost as error:
            logger.debug("no probe: %s", error)

    def _receive(self, deliveries: list[Delivery]) -> None:
        """Take note of answers; in the reading thread."""
        for delivery in deliveries:
            answer = read_answer(self._cell.wire, self._answers, delivery.headers, delivery.body)
            if answer is not None:
                self._answered.add(answer)

    def _wait_for_answers(self, connection: Connection, step: float, patience: float) -> None:
        answered = {name for number, name in tuple(self._answered) if number == self._number}
        for name in answered & self._probed:
            self._silent[name] = 0.0
            self._patience.pop(name, None)
        self._probed = {name for name in self._probed if self._silent[name] and self._subscribing.has_room(name)}
        if not self._probed:
            self._end_probing()
            return
        try:
            if not self._receipt.wait(0):
                self._wait_for_receipt(step)
                return
        except BusRefused as error:
            self._give_up(error)
            return
        except ConnectionLost:
            return  # the next look sees another one
        self._waited += step
        if self._waited >= patience:
            self._mend(connection)

    def _wait_for_receipt(self, step: float) -> None:
        """Conclude nothing from a probe that may not be in its queue, for the bus takes nothing in now."""
        self._unconfirmed += step
        if self._unconfirmed >= self._cell.bus.address.silence:
            self._silent.clear()
            self._end_probing()

    def _mend(self, connection: Connection) -> None:
        logger.warning(
            "nothing of %s has come for %.0f s although its queue waits: connecting to the bus again",
            ", ".join(sorted(self._probed)),
            max(self._silent[name] for name in self._probed),
        )
        for name in self._probed:
            self._patience[name] = min(MOST_PATIENCE, 2 * self._patience.get(name, 1))
        self._end_probing()
        connection.close()

    def _give_up(self, error: BusError) -> None:
        self._refused = True
        self._end_probing()
        logger.warning("this drone will not notice subscriptions that bring nothing any more: %s", error)

    def _end_probing(self) -> None:
        if self._number:
            self._cell.bus.unsubscribe(self._name)
        self._number = ""
        self._probed = set()
        self._answered.clear()
