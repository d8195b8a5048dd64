"""Bringing the state of a key from the bus.

From: bus.  To: host.
"""

from __future__ import annotations

import itertools
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from swarmage.bus.delivery import Delivery
from swarmage.bus.subscription import Subscription
from swarmage.clock import SYSTEM_CLOCK
from swarmage.drone.cell import Cell
from swarmage.errors import BusUnreachable, ConnectionLost
from swarmage.wire.keyed import read_state
from swarmage.wire.names import saved_destination
from swarmage.wire.signing import HEADER, signed_by

LOAD_TIMEOUT = 30.0
"""Seconds the bus has to show a state."""
LOOK_SECONDS = 0.5
"""How often it is looked whether the task that needs it is still worth performing."""

_numbers = itertools.count(1)


class Saved(NamedTuple):
    """What was saved last."""

    version: int
    state: Any
    signed_by: str


def load_state(cell: Cell, kind: str, key: str, needed_by: Delivery) -> Saved | None:
    """Return the state of a key as it was saved last, None when nothing was.

    Args:
        cell: whose bus has it.
        kind: of the actor.
        key: which one.
        needed_by: the task that is to be performed; without its connection nothing can come of it.

    Raises:
        BadSignature: what is there was not written with our key. It is never taken for nothing.
        BusUnreachable: the bus has not shown it in time.
        ConnectionLost: the task will come again.
        Unreadable: what is there is not the state of this key.
    """
    heard: SimpleQueue[Delivery] = SimpleQueue()
    destination = saved_destination(kind, key)

    def receive(deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            heard.put(delivery)

    id_ = f"saved#{next(_numbers)}"
    cell.bus.subscribe(Subscription(id=id_, destination=destination, receive=receive, browser=True))
    try:
        shown = _listen(heard, needed_by, f"{kind}[{key!r}]")
    finally:
        cell.bus.unsubscribe(id_)
    states = []
    for each in shown:
        signature = each.headers.get(HEADER)
        version, state = read_state(cell.wire, kind, key, each.body, signature)
        states.append(Saved(version, state, signed_by(signature or "")))
    return max(states, key=lambda saved: saved.version, default=None)


def _listen(heard: SimpleQueue[Delivery], needed_by: Delivery, name: str) -> list[Delivery]:
    deadline = SYSTEM_CLOCK.monotonic() + LOAD_TIMEOUT
    shown: list[Delivery] = []
    while not needed_by.connection.lost:
        try:
            delivery = heard.get(timeout=LOOK_SECONDS)
        except Empty:
            if SYSTEM_CLOCK.monotonic() < deadline:
                continue
            raise BusUnreachable(f"the bus has not shown the state of {name} within {LOAD_TIMEOUT:.0f} s") from None
        if delivery.headers.get("browser") == "end":
            return shown
        shown.append(delivery)
    raise ConnectionLost(f"the connection was lost while the state of {name} was loaded; its task comes again")
