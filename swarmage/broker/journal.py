"""Group commit without a timer: while one batch syncs, the next collects.

From: session.  To: store, and then back to queues and receipts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from swarmage.broker.message import Message
from swarmage.broker.store import Batch, Store

if TYPE_CHECKING:
    from swarmage.broker.session import Session

_ROW_OVERHEAD = 200


class Entry:
    """A batch and what follows once it is durable.

    Attributes:
        batch: what the store gets.
        receipts: RECEIPT frames and who gets them.
        actions: anything else, run after the receipts.
    """

    __slots__ = ("actions", "batch", "receipts")

    def __init__(self) -> None:
        self.batch = Batch()
        self.receipts: list[tuple[Session, bytes]] = []
        self.actions: list[Callable[[], None]] = []

    def __bool__(self) -> bool:
        return bool(self.batch or self.receipts or self.actions)


class Journal:
    """Collects changes and has them stored together.

    Attributes:
        changes: how many changes were noted ever; a frame that moved it needs the disk before its RECEIPT.
        failed: why the store gave up; nothing is stored or confirmed any more then.
    """

    def __init__(self, store: Store, arrive: Callable[[Message], None], progress: Callable[[], None]) -> None:
        self.changes = 0
        self.failed: Exception | None = None
        self._store = store
        self._arrive = arrive
        self._progress = progress
        self._open = Entry()
        self._syncing: Entry | None = None

    def insert(self, message: Message) -> None:
        """Store the message; it reaches its queue when that has happened."""
        self.changes += 1
        batch = self._open.batch
        batch.inserts.append(message)
        batch.size += len(message.head) + len(message.body) + _ROW_OVERHEAD

    def remove(self, message: Message) -> None:
        """Forget a message that is done."""
        if message.stored:
            self.changes += 1
            self._open.batch.deletes.append(message.id)

    def recount(self, message: Message) -> None:
        """Store the message's delivery count."""
        if message.stored:
            self.changes += 1
            self._open.batch.counts[message.id] = message.count

    def confirm(self, session: Session, receipt: bytes) -> None:
        """Send the receipt when everything noted up to now is durable."""
        self._open.receipts.append((session, receipt))

    def after(self, action: Callable[[], None]) -> None:
        """Run the action when everything noted up to now is durable."""
        self._open.actions.append(action)

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way to the disk."""
        return self._syncing is None and not self._open

    @property
    def collecting(self) -> bool:
        """Whether something waits for the next flush and a flush would start it."""
        return self._syncing is None and bool(self._open) and self.failed is None

    @property
    def unsaved_bytes(self) -> int:
        """What new messages take in memory until they are stored."""
        return self._open.batch.size + (self._syncing.batch.size if self._syncing else 0)

    def flush(self) -> None:
        """Submit what was collected, unless a commit is running, whose end will do it."""
        if not self.collecting:
            return
        entry = self._syncing = self._open
        self._open = Entry()
        if entry.batch:
            self._store.submit(entry.batch, self._done)
        else:
            self._done(None)

    def _done(self, error: Exception | None) -> None:
        entry, self._syncing = self._syncing, None
        if error is not None or entry is None:
            self.failed = error
        else:
            for message in entry.batch.inserts:
                self._arrive(message)
            for session, receipt in entry.receipts:
                session.write(receipt)
            for action in entry.actions:
                action()
        self._progress()
