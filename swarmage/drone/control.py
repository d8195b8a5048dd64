"""What a drone is told from outside while it runs: the standing orders, and what is asked of it alone.

From: bus.  To: subscribing, crew, finalize, presence.
"""

from __future__ import annotations

import logging
import threading
from collections import deque

from swarmage.bus.delivery import Delivery
from swarmage.bus.subscription import Subscription
from swarmage.drone.cell import Cell
from swarmage.drone.crew import Crew
from swarmage.drone.finalize import Finalizer
from swarmage.drone.messages import (
    CANCEL_FAILURE,
    CANCELLATION,
    CANCELLED,
    DrainAsked,
    Letter,
    Ordered,
    RollCall,
    Unread,
)
from swarmage.drone.presence import Presence
from swarmage.drone.silence import Silence
from swarmage.drone.standing import StandingOrders
from swarmage.drone.subscribing import Subscribing
from swarmage.errors import WireError
from swarmage.wire.names import CONTROL, is_reply_destination
from swarmage.wire.signing import HEADER

logger = logging.getLogger("swarmage.drone")

FRESH = 60.0
"""Seconds for which a request to one drone counts: it is signed, but anybody on the bus could send a copy later."""

ORDERED = "ordered"
"""The reason for which an order pauses a task class."""

LOOK_EVERY = 60.0
"""Seconds: whoever changed the orders may have died before it could say so."""

FIRST_LOOK = 5.0
"""Seconds the bus has to show the standing orders to a drone that starts."""


class Control:
    """Hears in the reading thread, obeys in the drone's."""

    def __init__(self, cell: Cell, crew: Crew, presence: Presence, finalizer: Finalizer) -> None:
        self._cell = cell
        self._crew = crew
        self._presence = presence
        self._finalizer = finalizer
        self._orders = StandingOrders(cell.bus, cell.wire, cell.clock, lambda: cell.mailbox.put(Letter(Ordered())))
        self._look_at = cell.clock.monotonic() + LOOK_EVERY
        self._answered: deque[tuple[float, str]] = deque()  # requests of the last minute; the reading thread's
        self.subscribing = Subscribing(cell, crew.abilities, crew.able, self._orders.standing)
        self._silence = Silence(cell, self.subscribing)

    def start(self) -> None:
        """Listen, and learn the orders before any task is taken.

        Raises:
            BusUnreachable: the bus does not show them.
        """
        self._cell.bus.subscribe(Subscription(id="control", destination=CONTROL, receive=self.receive, ack="auto"))
        self._orders.begin(FIRST_LOOK)
        self.obey()

    # the reading thread

    def receive(self, deliveries: list[Delivery]) -> None:
        """Pass on what is signed and concerns this drone."""
        for delivery in deliveries:
            headers = delivery.headers
            try:
                note = self._cell.wire.read_note(headers["destination"], delivery.body, headers.get(HEADER))
            except WireError:
                continue  # anybody may say anything on a topic; who does not sign is not answered
            match note:
                case {"say": "orders"}:
                    self._cell.mailbox.put(Letter(Ordered(changed=True)))
                case {"say": "roll call", "reply_to": str(reply_to)} if is_reply_destination(reply_to):
                    self._cell.mailbox.put(Letter(RollCall(reply_to)))
                case {
                    "say": str(what),
                    "drone": self._presence.name,
                    "reply_to": str(reply_to),
                    "issued": float() | int() as issued,
                }:
                    if is_reply_destination(reply_to) and self._is_fresh(what, reply_to, issued):
                        self._asked(what, reply_to)

    def _is_fresh(self, what: str, reply_to: str, issued: float) -> bool:
        now = self._cell.clock.wall()
        answered = self._answered
        while answered and answered[0][0] < now - 2 * FRESH:
            answered.popleft()
        if abs(now - issued) > FRESH:
            logger.warning(
                "a request for %r is refused: it was issued %.0f s ago by the clock of this machine, and counts for"
                " %.0f s; is it a copy, or do the clocks differ?",
                what[:20],
                now - issued,
                FRESH,
            )
            return False
        if any(reply_to == known for _, known in answered):
            logger.warning("a request for %r is refused: it is a copy", what[:20])
            return False
        answered.append((now, reply_to))
        return True

    def _asked(self, what: str, reply_to: str) -> None:
        match what:
            case "drain":
                self._cell.mailbox.put(Letter(DrainAsked(reply_to)))
            case "stacks":  # not by the drone's thread: it may be the one that hangs
                answer = threading.Thread(target=self._presence.show_stacks, args=(reply_to, self._crew.workers))
                answer.daemon = True
                answer.start()

    # the drone's thread

    def on_ordered(self, message: Ordered) -> None:
        """Read the orders that have changed, or obey those that have been read."""
        if message.changed:
            self._orders.look()
            return
        self.obey()
        self._orders.look_again()

    def obey(self) -> None:
        """Do what the standing orders say."""
        orders = self._orders.standing.orders
        for task_class in self.subscribing.task_classes:
            paused, _ = orders.paused.get(task_class, (False, 0.0))
            (self.subscribing.pause if paused else self.subscribing.resume)(task_class, ORDERED)
        counts = {name: count for name, (count, _) in orders.concurrency.items() if count is not None}
        if self._crew.resize(counts):
            self.subscribing.resize(self._crew.able)
        self.cancel()

    def tick(self) -> None:
        """Look after what no message tells of."""
        self.subscribing.tick()
        self._silence.look()
        self.cancel()
        now = self._cell.clock.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY
            self._orders.look()

    def cancel(self) -> None:
        """End the cancelled tasks that are here: those that wait at once, those that run as soon as they let it."""
        trees, now = self._cell.mailbox.trees, self._cell.clock.wall()
        cancelled = self._orders.standing.cancelled
        for task_id in [task_id for task_id, until in cancelled.items() if task_id in trees and until > now]:
            tree = trees.get(task_id)
            if tree is None:
                continue
            for run in self._cell.mailbox.remove_waiting(tree.task.task_class, lambda run, tree=tree: run.tree is tree):
                self._finalizer.bury(Unread(run.tree.delivery, CANCELLED, CANCEL_FAILURE, run.task))
                tree = None
            if tree is not None:
                tree.ending = CANCELLATION  # so its local tasks are skipped
                for worker in self._crew.everybody:
                    worker._cancel(task_id)
