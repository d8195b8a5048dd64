"""What went onto the bus and left it: the truth that a test asserts on."""

from __future__ import annotations

from swarmage.broker.queues.message import Message
from swarmage.broker.storage.store import Batch, Done, MemoryStore
from swarmage.errors import WireError
from swarmage.task import Task
from swarmage.wire.envelope import DeadBody, Wire
from swarmage.wire.names import DEAD, kind_in, task_class_of
from swarmage.wire.signing import HEADER


class Ledger(MemoryStore):
    """The memory bus's store; what a durable bus would have on disk, it has noted.

    It outlives a crash of the bus, as a disk does.
    """

    def __init__(self) -> None:
        super().__init__()
        self._inserted: list[Message] = []
        self._settled: list[Message] = []

    def submit(self, batch: Batch, done: Done) -> None:
        """Note the batch, and apply it."""
        self._inserted += batch.inserts
        self._settled += [self.messages[each.id] for each in batch.deletes if each.id in self.messages]
        super().submit(batch, done)

    def inserted(self, wire: Wire) -> list[Task]:
        """Return every task that the bus has taken, retries among them."""
        return _tasks(self._inserted, wire)

    def acked(self, wire: Wire) -> list[Task]:
        """Return every task that was acknowledged."""
        return _tasks(self._settled, wire)

    def dead(self, wire: Wire) -> list[DeadBody]:
        """Return the dead letters that are there now."""
        letters = [message for _, message in sorted(self.messages.items()) if message.destination == DEAD]
        return [wire.read_dead(message.body, _signature(message)) for message in letters]


def _tasks(messages: list[Message], wire: Wire) -> list[Task]:
    tasks = []
    for message in messages:
        if task_class_of(message.destination) is None and kind_in(message.destination) is None:
            continue
        try:
            tasks.append(wire.read_task(message.destination, message.body, _signature(message)))
        except WireError:
            continue  # a forged one, say: it ends in the dead letters
    return tasks


def _signature(message: Message) -> str | None:
    for line in message.head.decode().splitlines():
        name, _, value = line.partition(":")
        if name == HEADER:
            return value
    return None
