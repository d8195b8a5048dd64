"""Group commit: while one batch syncs, the next collects.

From: session.  To: store, and then back to queues and receipts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from swarmage.broker.events import event
from swarmage.broker.journal_entry import Entry
from swarmage.broker.queues.message import Damaged, Message
from swarmage.broker.queues.quota import Quota
from swarmage.broker.storage.notes import Notes
from swarmage.broker.storage.sqlite_damage import StoreFull
from swarmage.broker.storage.store import Batch, Store

if TYPE_CHECKING:
    from swarmage.broker.queues.records import Records
    from swarmage.broker.sessions.session import Session

log = logging.getLogger("swarmage.bus")

_ROW_OVERHEAD = 200


class Journal:
    """Collects changes and has them stored together.

    Attributes:
        changes: how many changes were noted ever; a frame that moved it needs the disk before its RECEIPT.
        failed: why the store gave up; nothing is stored or confirmed any more then.
        full: why new messages are refused at the moment.
        speaker: whose frame is being handled.
    """

    def __init__(
        self,
        store: Store,
        arrive: Callable[[Message], None],
        progress: Callable[[], None],
        *,
        quota: Quota,
        records: Records,
        refuse: Callable[[Session, str], None],
    ) -> None:
        """Begin with nothing noted.

        Args:
            store: where batches go.
            arrive: told of each message that is stored, or was done and is not after all.
            progress: called when something has ended.
            quota, records: told of what is stored, and of what a batch notes besides messages.
            refuse: called for each session whose messages could not be stored.
        """
        self.changes = 0
        self.failed: Exception | None = None
        self.full: str | None = None
        self.speaker: Session | None = None
        self._store = store
        self._arrive = arrive
        self._progress = progress
        self._quota = quota if quota.active else None
        self._records = records
        self._refuse = refuse
        self._open = Entry()
        self._syncing: Entry | None = None
        self._no_room: Entry | None = None  # deletes and counts that wait for room, as nothing else can

    def insert(self, message: Message) -> None:
        """Store the message; it reaches its queue when that has happened."""
        self.changes += 1
        batch = self._open.batch
        batch.inserts.append(message)
        self._open.authors.add(self.speaker)
        if self._quota is not None:
            self._quota.inserted(message)
        batch.size += len(message.head) + len(message.body) + _ROW_OVERHEAD

    def remove(self, message: Message) -> None:
        """Forget a message that is done."""
        if message.stored:
            self.changes += 1
            self._open.batch.deletes.append(message)
            self._open.removed.append((self.speaker, message))
            if self._quota is not None:
                self._quota.removed(message)

    def replace(self, message: Message, other: Message) -> None:
        """Store a message and forget the one it stands for, or neither."""
        self.insert(other)
        self.remove(message)
        self._open.replaced.add(message.id)

    def recount(self, message: Message) -> None:
        """Store the message's delivery count."""
        if message.stored:
            self.changes += 1
            self._open.batch.counts[message] = message.count

    @property
    def collected(self) -> Entry:
        """What is collected now."""
        return self._open

    def notes(self) -> Notes:
        """Return what is noted besides messages, to add to it."""
        self.changes += 1
        return self._open.notes()

    def join(self) -> None:
        """Let the frame at hand end as the others do of what is collected now."""
        self.changes += 1
        self._open.authors.add(self.speaker)

    def insert_unless(self, key: bytes, messages: list[Message]) -> None:
        """Store messages that are one, unless what came with the same dedupe id is durable by then."""
        for message in messages:
            self.insert(message)
        self._open.unless.append((key, messages))

    def withdraw(self, entry: Entry, messages: list[Message]) -> None:
        """Take messages out that are not to be stored after all."""
        unwanted = {message.id for message in messages}
        entry.batch.inserts = [message for message in entry.batch.inserts if message.id not in unwanted]
        self._uncount(messages)

    def confirm(self, session: Session, receipt: bytes) -> None:
        """Send the receipt when everything noted up to now is durable."""
        self._open.receipts[session].append(receipt)

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
        if self.collecting:
            entry, self._open = self._open, Entry()
            self._records.leaves(entry)
            self._submit(entry)

    def _submit(self, entry: Entry) -> None:
        self._syncing = entry
        if entry.doomed:
            reason, entry.doomed = entry.doomed, ""
            self._done(StoreFull(reason))
        elif entry.batch:
            self._store.submit(entry.batch, self._done)
        else:
            self._done(None)

    def _done(self, error: Exception | None) -> None:
        entry, self._syncing = self._syncing, None
        if isinstance(error, StoreFull) and entry is not None:
            self._give_up_inserts(entry, str(error))
        elif error is not None or entry is None:
            self.failed = error
        else:
            arrive, quota = self._arrive, self._quota
            if entry.batch.notes is not None:
                self._records.ended(entry.batch.notes, stored=True)
            for message in entry.batch.inserts:
                if quota is not None:
                    quota.arrived(message)
                arrive(message)
            for session, receipts in entry.receipts.items():
                session.write(b"".join(receipts))
            for action in entry.actions:
                action()
        self._progress()

    def _give_up_inserts(self, entry: Entry, reason: str) -> None:
        """Refuse what a full disk has no room for, and store the rest.

        Who sent something loses its acks in this batch, too: what is acked without its result would be lost.
        """
        if self.full is None:
            log.error("%s: new messages are refused", reason, extra=event("disk_full", reason=reason))
        self.full = reason
        notes = entry.batch.notes
        if not entry.batch.inserts and not (notes and notes.opened):
            self._syncing = self._no_room = entry
            return
        self._open.doom(entry, reason)
        rest = Entry()
        rest.batch.counts = entry.batch.counts
        rest.receipts.update((who, receipts) for who, receipts in entry.receipts.items() if who not in entry.authors)
        rest.actions = entry.actions
        self._uncount(entry.batch.inserts)
        if notes is not None:
            rest.batch.notes = notes.without_news()
            self._records.ended(notes, stored=False)
        for author, message in entry.removed:
            if author not in entry.authors or (author is None and message.id not in entry.replaced):
                rest.removed.append((author, message))
                rest.batch.deletes.append(message)
            else:
                self._take_back(message)
        for session in entry.authors:
            if session is not None:
                self._refuse(session, reason)
        self._submit(rest)

    def _uncount(self, messages: list[Message]) -> None:
        if self._quota is not None:
            for message in messages:
                self._quota.arrived(message)
                self._quota.removed(message)

    def _take_back(self, message: Message) -> None:
        if self._quota is not None:
            self._quota.kept(message)
        if not isinstance(message, Damaged):  # which is found again where it is
            self._arrive(message)

    def tick(self) -> None:
        """Try again what waits for room on the disk, and whether there is some for new messages."""
        if self._no_room is not None:
            entry, self._no_room = self._no_room, None
            self._submit(entry)
        elif self.full is not None and self._syncing is None and self.failed is None:
            self._syncing = Entry()
            self._store.submit(Batch(), self._probed)

    def _probed(self, error: Exception | None) -> None:
        self._syncing = None
        if error is None:
            log.info("the disk has room again: new messages are taken", extra=event("disk_has_room"))
            self.full = None
        elif not isinstance(error, StoreFull):
            self.failed = error
        self._progress()
