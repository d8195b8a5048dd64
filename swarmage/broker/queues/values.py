"""Values: destinations that hold the last message sent to them, and no other.

From: records.  To: journal, and a look at one from subscribing.

Of a value only its name and where it stands are in memory, so that there may be many; what it says is on the disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from swarmage.broker.queues.message import DEFAULT_PRIORITY, Message, Special
from swarmage.broker.queues.waiting import Waiting

if TYPE_CHECKING:
    from swarmage.broker.journal import Journal

VALUE = "/value/"

A_VALUE = Special(None, lasting=False, value=True)


class Former(Message):
    """A value's message that is to be forgotten, known by its number; what it says is not in memory."""

    __slots__ = ()


class Values:
    """All values, by full name: the number of the message, its bytes, and how many may be stored from there on.

    That is one, but when the disk was full while several were on their way; then who looks sees the newest last.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, int, int]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def publish(self, message: Message, journal: Journal) -> None:
        """Store a message instead of the one before it, in one commit; an empty one leaves nothing."""
        name = message.destination
        before = self._known.pop(name, None)
        if message.body:
            self._known[name] = (message.id, len(message.head) + len(message.body), 1)
            journal.insert(message)
        if before is not None:
            journal.remove(_former(name, before[0], before[1]))

    def arrive(self, message: Message) -> None:
        """Take note of one that was to be forgotten and stays, since the disk had no room for the next one."""
        if not isinstance(message, Former):
            return  # known since it was sent
        number, size, count = message.id, len(message.body), 1
        known = self._known.get(message.destination)
        if known is not None:
            number, size = min((number, size), known[:2])
            count += known[2]
        self._known[message.destination] = (number, size, count)

    def load(self, name: str, number: int, count: int) -> None:
        """Take over what the store holds."""
        self._known[name] = (number, 0, count)

    def show(self, name: str, waiting: Waiting) -> None:
        """Let a value be read from the store as if it waited there; nothing if there is none."""
        known = self._known.get(name)
        if known is not None:
            waiting.leave_in_store(DEFAULT_PRIORITY, known[2], known[0] - 1)


def _former(name: str, number: int, size: int) -> Former:
    former = Former(number, name, b"", bytes(size))  # so that the quota counts what becomes free
    former.stored = True
    return former
