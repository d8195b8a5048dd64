"""The lane of one kind of keyed actor: of each key one task at a time, in the order in which they came.

From: local_queue.  To: host.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from swarmage.drone.lane import Lane
from swarmage.drone.run import Run, Tree
from swarmage.wire.message import Message

if TYPE_CHECKING:
    from swarmage.drone.local_queue import Mailbox

GROUP = "JMSXGroupID"
"""The header with the digest of the key, by which keys are known here."""
FIRST = "JMSXGroupFirstForConsumer"
"""The header by which the bus says that somebody else may have had the key: what is in memory of it counts no more."""


class Key:
    """One key that is known here. `actor` to `unsaved` belong to who performs its run, while there is one.

    Attributes:
        busy: the run that is being performed, or is next; None when there is none.
        waiting: those behind it.
        actor: its actor, None when its state has to be loaded.
        version: of the state that was saved last.
        digest: of that state, so that one that has not changed is not saved again.
        unsaved: the message that saves what has changed, with its digest; None when nothing has.
        used: when its last run ended, on the monotonic clock.
        stale: whether somebody else may have had the key since its actor was loaded.
    """

    __slots__ = ("actor", "busy", "digest", "stale", "unsaved", "used", "version", "waiting")

    def __init__(self) -> None:
        self.busy: Run | None = None
        self.waiting: deque[Run] | None = None
        self.actor: Any = None
        self.version = 0
        self.digest = b""
        self.unsaved: tuple[Message, bytes] | None = None
        self.used = 0.0
        self.stale = False


class KeyedRuns(deque[Run]):
    """The runs that may be begun, one of each key; those that wait for one before them are counted with their key."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: dict[str, Key] = {}

    def append(self, run: Run, /) -> None:
        """Add a run, which may be begun at once if its key has none before it."""
        group = group_in(run.tree)
        key = self.keys.get(group)
        if key is None:
            key = self.keys[group] = Key()
        if key.busy is None:
            key.busy = run
            super().append(run)
        elif key.waiting is None:
            key.waiting = deque((run,))
        else:
            key.waiting.append(run)

    def __iter__(self) -> Iterator[Run]:
        """Go through all that nobody has begun."""
        yield from super().__iter__()
        for key in self.keys.values():
            yield from key.waiting or ()

    def clear(self) -> None:
        """Take all out that nobody has begun."""
        self.take_out(list(self))

    def take_out(self, removed: Iterable[Run]) -> None:
        """Take out runs that nobody has begun."""
        gone = set(map(id, removed))
        for key in self.keys.values():
            if key.waiting:
                key.waiting = deque(run for run in key.waiting if id(run) not in gone)
        ready = list(super().__iter__())
        super().clear()
        for run in ready:
            if id(run) in gone:
                self.free(self.keys[group_in(run.tree)])
            else:
                super().append(run)

    def free(self, key: Key) -> None:
        """Let the next run of a key be begun, if there is one."""
        key.busy = key.waiting.popleft() if key.waiting else None
        if not key.waiting:
            key.waiting = None
        if key.busy is not None:
            super().append(key.busy)


class KeyedLane(Lane):
    """What is here of one kind of actor: the runs, and the actors. Guarded by the mailbox's lock."""

    __slots__ = ("_idle", "_most", "keys")

    free = False  # a task that is taken makes its key busy

    bus: KeyedRuns

    def __init__(self, idle: float, most: int) -> None:
        """Begin with no key.

        Args:
            idle: seconds after which an actor leaves memory when it had nothing to do.
            most: how many actors may be in memory; with more, those go that have been idle longest.
        """
        super().__init__()
        self.bus = KeyedRuns()
        self.keys = self.bus.keys
        self._idle = idle
        self._most = most

    def clear(self) -> list[Run]:
        """Take out all that nobody has begun, those that wait for others of their key, too."""
        removed = list(self.bus)
        self.bus.clear()
        return removed

    def remove(self, unwanted: Callable[[Run], bool]) -> list[Run]:
        """Take out tasks that nobody has begun; the next of their keys may be begun then."""
        removed = [run for run in self.bus if unwanted(run)]
        if removed:
            self.bus.take_out(removed)
            if self.bus and self.waking is None:
                self.wake()
        return removed

    def settle(self, tree: Tree, sent: Sequence[Message], now: float) -> None:
        """Take note that a task of a key has ended and what was sent with its ack; let the next one begin.

        The actor stays if what it is now has been sent; else the next run loads what was saved before.
        """
        name = group_in(tree)
        key = self.keys.get(name)
        if key is None or key.busy is None or key.busy.tree is not tree:
            return
        unsaved, key.unsaved = key.unsaved, None
        if tree.ending is not None or tree.delivery.connection.lost or key.stale:
            key.actor = None
        elif unsaved is not None:
            message, key.digest = unsaved
            key.version += 1
            if not any(each is message for each in sent):
                key.actor = None
        self.bus.free(key)
        del self.keys[name]
        if key.busy is not None or key.actor is not None:
            key.used = now
            self.keys[name] = key  # behind all others: those in front have been idle longest
        if key.busy is not None and self.waking is None:
            self.wake()

    def passivate(self, now: float) -> int:
        """Let actors go that have been idle for long, or are too many; return how many that were."""
        spare = len(self.keys) - self._most
        gone: list[str] = []
        for name, key in self.keys.items():
            if spare <= len(gone) and key.used > now - self._idle:
                break
            if key.busy is None:
                gone.append(name)
        for name in gone:
            del self.keys[name]
        return len(gone)


def group_in(tree: Tree) -> str:
    """Return what the bus knows a task's key by."""
    return tree.delivery.headers[GROUP]


def distrust(mailbox: Mailbox, kind: str, groups: Iterable[str]) -> None:
    """Have the actors of keys loaded anew, for somebody else may have had them."""
    with mailbox.lock:
        lane = mailbox.lanes[kind]
        for group in groups:
            if isinstance(lane, KeyedLane) and group in lane.keys:
                lane.keys[group].stale = True


def keyed_lanes(mailbox: Mailbox) -> list[KeyedLane]:
    """Return the lanes of all kinds, each once."""
    return list({id(lane): lane for lane in mailbox.lanes.values() if isinstance(lane, KeyedLane)}.values())


def settle_all(mailbox: Mailbox, ended: Iterable[tuple[Tree, Sequence[Message]]], now: float) -> None:
    """Take note of ended tasks of keys, whose acks have been written."""
    with mailbox.lock:
        for tree, sent in ended:
            lane = mailbox.lanes[tree.task.task_class]
            if isinstance(lane, KeyedLane):
                lane.settle(tree, sent, now)


def open_lane(mailbox: Mailbox, kind: str, abilities: Mapping[str, Any], idle: float, most: int) -> KeyedLane:
    """Return the lane of a kind, which is that of each of its task classes, made on first use."""
    with mailbox.lock:
        lane = mailbox.lanes.get(kind)
        if not isinstance(lane, KeyedLane):
            lane = KeyedLane(idle, most)
        for name in (kind, *abilities):
            mailbox.lanes[name] = lane
        return lane
