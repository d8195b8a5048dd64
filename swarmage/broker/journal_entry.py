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
        unless: new messages among its inserts that are one message, and a dedupe id that makes them needless.
    """

    __slots__ = ("actions", "authors", "batch", "receipts", "removed", "replaced", "unless")

    def __init__(self) -> None:
        self.batch = Batch()
        self.receipts: defaultdict[Session, list[bytes]] = defaultdict(list)
        self.actions: list[Callable[[], None]] = []
        self.authors: set[Session | None] = set()
        self.removed: list[tuple[Session | None, Message]] = []
        self.replaced: set[int] = set()
        self.unless: list[tuple[bytes, list[Message]]] = []

    def __bool__(self) -> bool:
        return bool(self.batch or self.receipts or self.actions)

    @property
    def pressing(self) -> bool:
        """Whether anybody waits for it: a delete alone only spares a delivery after a crash."""
        batch = self.batch
        return bool(batch.inserts or batch.counts or batch.notes is not None or self.receipts or self.actions)

    def notes(self) -> Notes:
        """Return what the batch notes besides messages."""
        if self.batch.notes is None:
            self.batch.notes = Notes()
        return self.batch.notes
