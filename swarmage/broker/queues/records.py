"""What the bus keeps besides messages: durable subscriptions, ids that were seen, and the ages of messages.

From: hub, journal.  To: durable, dedupe, ages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from swarmage.broker.queues.ages import Ages
from swarmage.broker.queues.dedupe import Standing, Window
from swarmage.broker.queues.durable import Durables
from swarmage.broker.queues.message import Message, Special
from swarmage.broker.storage.notes import DedupeRow, Notes

if TYPE_CHECKING:
    from swarmage.broker.hub import Hub
    from swarmage.broker.journal_entry import Entry
    from swarmage.broker.storage.store import Loaded


class Records:
    """All of it for one bus.

    Attributes:
        durables: durable subscriptions.
        window: ids that were seen.
        ages: when messages came.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.durables = Durables(hub)
        self.window = Window(hub.limits, hub.clock)
        self.ages = Ages()

    def load(self, loaded: Loaded) -> None:
        """Take over what a store holds, before its messages."""
        self.durables.load(loaded.noted.durables.values())
        self.window.load(loaded.noted.seen.values())
        self.ages.load(loaded.noted.times.values())
        known = [*loaded.first.values(), *(message.id for message in loaded.messages)]
        self.ages.thin(min(known, default=loaded.next_number))
        self.tick()

    def tick(self) -> None:
        """Take note that time passes."""
        hub = self._hub
        self.window.tick()
        self.ages.tick(hub.next_number(), int(hub.clock.wall() * 1000))
        if self.ages.crowded:
            self.ages.thin(min(self._oldest().values(), default=hub.next_number()))

    def publish(self, message: Message, special: Special) -> None:
        """Accept a message that is more than one for one queue, and that `to_store` was asked for."""
        if special.value:
            self._hub.router.values.publish(message, self._hub.journal)
            return
        rows = self._rows(message, special)
        if special.dedupe is not None and not self._is_new(special.dedupe, message, rows):
            return
        for row in rows:
            self._hub.journal.insert(row)
        if not message.stored:
            self._hub.router.arrive(message)

    def _is_new(self, key: bytes, message: Message, rows: list[Message]) -> bool:
        """Remember an id; if it is known, see that the sender is told no more of this one than of the first one."""
        journal = self._hub.journal
        standing = self.window.standing(key)
        if standing is Standing.NEW:
            self.window.note(key, message.id, journal.collected.batch if rows else None)
            if rows:
                journal.notes().seen.append(self._seen(key, message.id))
            return True
        if standing is Standing.ON_ITS_WAY:
            if self.window.is_in(key, journal.collected.batch):
                journal.join()
            elif rows:
                journal.insert_unless(key, rows)
            else:
                journal.changes += 1
        return False

    def _seen(self, key: bytes, number: int) -> DedupeRow:
        return DedupeRow(number, round(self._hub.clock.wall() * 1000), key)

    def _rows(self, message: Message, special: Special) -> list[Message]:
        if message.stored:
            return [message]
        if special.lasting and self.durables:
            return list(self.durables.copies(message, self._hub.next_number))
        return []

    def to_store(self, messages: Sequence[Message]) -> list[Message]:
        """Return what would be stored of messages, which is less than all where ids are known."""
        found: list[Message] = []
        for message in messages:
            special = message.special
            if special is None:
                if message.stored:
                    found.append(message)
            elif special.dedupe is None or self.window.standing(special.dedupe) is Standing.NEW:
                found += self._rows(message, special)
        return found

    def leaves(self, entry: Entry) -> None:
        """Complete what is about to be stored."""
        if entry.unless:
            self._decide(entry)
        self.window.refused.clear()
        batch = entry.batch
        if self.window.forgotten and batch:
            notes = entry.notes()
            notes.forget, self.window.forgotten = self.window.forgotten, 0
        if batch.inserts and self.ages.pending:
            notes = entry.notes()
            notes.times, notes.past = self.ages.to_store()

    def _decide(self, entry: Entry) -> None:
        """Drop what was sent again while the first one was on its way, and keep it where that did not arrive."""
        unwanted: list[Message] = []
        for key, rows in entry.unless:
            if key in self.window.refused:
                self.window.refused.remove(key)
                self.window.note(key, rows[0].id, entry.batch)
                entry.notes().seen.append(self._seen(key, rows[0].id))
            else:
                unwanted += rows
        self._hub.journal.withdraw(entry, unwanted)

    def ended(self, notes: Notes, *, stored: bool) -> None:
        """Take note that the notes of a batch are durable, or that what is new in them is not."""
        self.window.settle(notes.seen, stored=stored)
        self.durables.settle(notes.opened, stored=stored)
        if stored:
            self._hub.quota.freed(notes.freed, notes.freed_bytes)
        else:
            self.ages.not_stored(notes.times)

    def oldest_ages(self) -> dict[str, float]:
        """Return by queue how long its oldest message has been there, in seconds; delivered ones count, delayed not."""
        wall_ms = self._hub.clock.wall() * 1000
        since = {name: self.ages.since(number) for name, number in self._oldest(delayed=False).items()}
        return {name: max(0.0, wall_ms - at) / 1000 for name, at in since.items() if at is not None}

    def _oldest(self, *, delayed: bool = True) -> dict[str, int]:
        """Return the lowest number in each queue."""
        found: dict[str, int] = {}
        for name, number in self._numbers(delayed=delayed):
            if number < found.get(name, number + 1):
                found[name] = number
        return found

    def _numbers(self, *, delayed: bool) -> Iterable[tuple[str, int]]:
        hub = self._hub
        for queue in hub.router.queues.values():
            if queue.waiting.oldest is not None:
                yield queue.name, queue.waiting.oldest
        for session in hub.sessions.values():
            for message in session.unacked.values():
                if message.holder is not None:
                    yield message.holder.queue.name, message.id
        if delayed:
            for message in hub.router.delayed():
                yield message.destination, message.id
