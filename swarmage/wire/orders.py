"""Standing orders: what operators want of the swarm until they say otherwise, as it stands in the state queue.

The queue holds any number of messages, each a part of the orders, and all of them together are the orders: of each
entry the newest counts. So a change is one SEND, two at once need not wait for each other, a part that arrives twice or
late changes nothing, and an old one that somebody sends again loses against what came after it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

from swarmage.errors import Unreadable
from swarmage.wire import names
from swarmage.wire.envelope import Wire
from swarmage.wire.message import Message

logger = logging.getLogger(__name__)

MOST_CANCELLED = 10_000
MOST_NAMES = 1000
"""Entries that are kept; the oldest go first."""

T = TypeVar("T")


class Orders(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Standing orders, or a part of them. Each entry is its value and when it was ordered, seconds since the epoch.

    Attributes:
        paused: whether nobody is to begin tasks of a task class.
        concurrency: how many actors of a Worker class each drone has; None for as many as it was started with.
        cancelled: by the id of a task, until when it is not to be performed, seconds since the epoch.
    """

    paused: Mapping[str, tuple[bool, float]] = {}
    concurrency: Mapping[str, tuple[int | None, float]] = {}
    cancelled: Mapping[str, tuple[float, float]] = {}

    @property
    def newest(self) -> float:
        """When the newest entry was ordered, 0 when there is none."""
        entries = (self.paused, self.concurrency, self.cancelled)
        return max((ordered for each in entries for _, ordered in each.values()), default=0.0)


def merge(parts: Iterable[Orders], now: float) -> Orders:
    """Return the orders that the parts make together, without cancellations that are over.

    Args:
        parts: in any order.
        now: seconds since the epoch.
    """
    paused: dict[str, tuple[bool, float]] = {}
    concurrency: dict[str, tuple[int | None, float]] = {}
    cancelled: dict[str, tuple[float, float]] = {}
    for part in parts:
        _take(paused, part.paused)
        _take(concurrency, part.concurrency)
        _take(cancelled, part.cancelled)
    alive = {name: entry for name, entry in cancelled.items() if entry[0] > now}
    return Orders(
        paused=_newest(paused, MOST_NAMES, "paused task classes"),
        concurrency=_newest(concurrency, MOST_NAMES, "concurrencies"),
        cancelled=_newest(alive, MOST_CANCELLED, "cancelled tasks"),
    )


def _take(into: dict[str, tuple[T, float]], entries: Mapping[str, tuple[T, float]]) -> None:
    for name, entry in entries.items():
        known = into.get(name)
        # two of the same moment: any rule will do on which everybody agrees
        if known is None or (entry[1], repr(entry[0])) > (known[1], repr(known[0])):
            into[name] = entry


def _newest(entries: dict[str, tuple[T, float]], most: int, what: str) -> dict[str, tuple[T, float]]:
    if len(entries) <= most:
        return entries
    logger.warning("of %d %s in the standing orders the newest %d are kept", len(entries), what, most)
    kept = sorted(entries.items(), key=lambda item: item[1][1], reverse=True)[:most]
    return dict(kept)


def write_orders(wire: Wire, orders: Orders) -> Message:
    """Write orders, or a part of them, for the state queue.

    Raises:
        NotEncodable: they are too large for the bus.
    """
    return wire.note(names.STATE, orders, lasting=True)


def read_orders(wire: Wire, body: bytes, signature: str | None) -> Orders:
    """Check and read a message of the state queue.

    Raises:
        BadSignature: its signature is missing or wrong.
        Unreadable: it holds no orders.
    """
    note = wire.read_note(names.STATE, body, signature)
    try:
        return msgspec.convert(note, Orders)
    except msgspec.ValidationError as error:
        raise Unreadable(f"no standing orders: {error}") from None
