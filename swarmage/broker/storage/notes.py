"""What a store keeps besides messages: durable subscriptions, ids that were seen, and when numbers were given."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote

DURABLE = "/durable/"
"""How the queues behind durable subscriptions begin; no client can name one."""


class DurableRow(NamedTuple):
    """A durable subscription.

    Attributes:
        number: tells it from an earlier one of the same name.
        login: whose it is.
        name: as its user calls it.
        pattern: the topics it hears.
    """

    number: int
    login: str
    name: str
    pattern: str

    @property
    def queue(self) -> str:
        """The full name of its queue."""
        return f"{DURABLE}{quote(self.login, safe='')}/{quote(self.name, safe='')}/{self.number}"


class DedupeRow(NamedTuple):
    """An id that was seen.

    Attributes:
        number: of the message that it came with.
        at: when, in wall-clock milliseconds.
        key: a digest of the id and the destination.
    """

    number: int
    at: int
    key: bytes


class ClockRow(NamedTuple):
    """When numbers were given.

    Attributes:
        number: messages of this and higher numbers came later than ``at``.
        at: in wall-clock milliseconds.
    """

    number: int
    at: int


@dataclass(slots=True)
class Notes:
    """What a batch changes of all this.

    Attributes:
        opened: new durable subscriptions.
        ended: those that go, with all that waits for them.
        seen: new ids.
        forget: ids up to this number are of no use any more.
        times: new ones.
        past: numbers whose times are of no use any more.
        freed: how many messages went with those in ``ended``; the store counts them.
        freed_bytes: how large these were.
    """

    opened: list[DurableRow] = field(default_factory=list)
    ended: list[DurableRow] = field(default_factory=list)
    seen: list[DedupeRow] = field(default_factory=list)
    forget: int = 0
    times: list[ClockRow] = field(default_factory=list)
    past: list[int] = field(default_factory=list)
    freed: int = 0
    freed_bytes: int = 0

    def without_news(self) -> Notes | None:
        """Return what is left of it where the disk has room for nothing new."""
        if not (self.ended or self.forget or self.past):
            return None
        return Notes(ended=self.ended, forget=self.forget, past=self.past)


@dataclass(slots=True)
class Noted:
    """What a store holds of all this, by number.

    Attributes:
        durables: durable subscriptions.
        seen: ids that were seen, in the order of their numbers.
        times: when numbers were given, in their order.
    """

    durables: dict[int, DurableRow] = field(default_factory=dict)
    seen: dict[int, DedupeRow] = field(default_factory=dict)
    times: dict[int, ClockRow] = field(default_factory=dict)

    def apply(self, notes: Notes) -> None:
        """Take over what a batch changes."""
        self.durables |= {row.number: row for row in notes.opened}
        for row in notes.ended:
            self.durables.pop(row.number, None)
        for number in [*itertools.takewhile(lambda number: number <= notes.forget, self.seen)]:
            del self.seen[number]
        self.seen |= {row.number: row for row in notes.seen}
        for number in notes.past:
            self.times.pop(number, None)
        self.times |= {row.number: row for row in notes.times}

    def copy(self) -> Noted:
        """Return the same in other dicts."""
        return Noted(dict(self.durables), dict(self.seen), dict(self.times))
