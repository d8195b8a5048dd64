"""What a batch of the journal is, and who waits for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING

from swarmage.broker.queues.message import Message
from swarmage.broker.storage.notes import Notes
from swarmage.broker.storage.store import Batch

if TYPE_CHECKING:
    from swarmage.broker.sessions.session import Session


class Entry:
    """A batch and what follows once it is durable.

    Attributes:
        batch: what the store gets.
        receipts: RECEIPT frames, by who gets them.
        actions: anything else, run after the receipts.
        authors: whose frames inserted something.
        replaced: numbers of what it deletes only together with its inserts.
        removed: what the batch deletes, and whose frame did that; None for nobody's.
        doomed: why it is refused without being tried; empty where it is not.
        unless: new messages among its inserts that are one message, and a dedupe id that makes them needless.
    """

    __slots__ = ("actions", "authors", "batch", "doomed", "receipts", "removed", "replaced", "unless")

    def __init__(self) -> None:
        self.batch = Batch()
        self.receipts: defaultdict[Session, list[bytes]] = defaultdict(list)
        self.actions: list[Callable[[], None]] = []
        self.authors: set[Session | None] = set()
        self.removed: list[tuple[Session | None, Message]] = []
        self.replaced: set[int] = set()
        self.doomed = ""
        self.unless: list[tuple[bytes, list[Message]]] = []

    def __bool__(self) -> bool:
        return bool(self.batch or self.receipts or self.actions)

    @property
    def pressing(self) -> bool:
        """Whether anybody waits for it: a delete alone only spares a delivery after a crash."""
        batch = self.batch
        return bool(batch.inserts or batch.counts or batch.notes is not None or self.receipts or self.actions)

    def doom(self, before: Entry, reason: str) -> None:
        """Let it be refused as the one before was, if one of those sent something here, too.

        What a session sends may go on from what it sent before: the state of a key from that after the last task.
        """
        if any(author is not None for author in self.authors & before.authors):
            self.doomed = reason

    def notes(self) -> Notes:
        """Return what the batch notes besides messages."""
        if self.batch.notes is None:
            self.batch.notes = Notes()
        return self.batch.notes
