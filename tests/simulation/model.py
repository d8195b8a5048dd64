"""What the bus owes its clients, without any of its code: told what reaches the bus, it judges what the bus says.

It stands at the bus's own door, so it is exact: it knows which frames were complete when the bus got them, which were
lost with their connection, and what is durable, and so who may get what, in which order, and how it must be marked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from .disk import Disk, Key

UNLIMITED = 1 << 62
WINDOW_SECONDS = 7.0005
"""How long the bus remembers dedupe ids here; no two events are exactly so far apart."""
_NAME_HEADER = "durable-subscription-name"


class Place(Enum):
    """Where a message is."""

    ON_ITS_WAY = 1  # accepted, and not durable yet
    WAITING = 2  # in its queue, or held back until it is due
    HELD = 3  # by a client that has not settled it
    GONE = 4


@dataclass(eq=False, slots=True)
class Copy:
    """What one SEND made; a message sent twice is two of them."""

    name: str
    token: str
    queue: str
    priority: int = 4
    delay: int = 0
    expires: int = 0
    stored: bool = True
    group: str = ""
    due: int = 0
    rank: int = 0
    count: int = 0
    place: Place = Place.ON_ITS_WAY
    number: int = 0
    dedupe: str = ""
    topic: str = ""
    reason: str = ""
    holder: Taker | None = None

    @property
    def key(self) -> Key:
        return self.name, self.queue

    @property
    def dead(self) -> bool:
        return self.queue.startswith("/queue/DLQ.")

    @property
    def turn(self) -> tuple[int, int]:
        """The lowest is delivered first."""
        return -self.priority, self.rank


@dataclass(eq=False, slots=True)
class Taker:
    """A subscription."""

    name: str
    queue: str
    mode: str
    prefetch: int
    exclusive: bool = False
    browses: list[Copy] | None = None
    holds: int = 0
    seen: set[int] = field(default_factory=set)
    last: tuple[int, tuple[int, int]] | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """A frame of a client."""

    command: str
    headers: Mapping[str, str]
    copy: Copy | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """A frame of the bus."""

    command: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(slots=True)
class Change:
    """What one frame changed of what is durable: it is there whole or not at all."""

    puts: list[Copy] = field(default_factory=list)
    drops: list[Copy] = field(default_factory=list)
    counts: list[tuple[Copy, int]] = field(default_factory=list)
    needs: list[Change] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.puts or self.drops or self.counts)


@dataclass(eq=False, slots=True)
class Durable:
    """A durable subscription; the sign of its being stored is a copy without a name."""

    pattern: str
    sign: Copy
    opened: Change | None
    takers: list[tuple[Peer, Taker]] = field(default_factory=list)

    @property
    def queue(self) -> str:
        return self.sign.queue


@dataclass(eq=False, slots=True)
class Seen:
    """A dedupe id, when it came, and what came with it."""

    at: float
    keys: list[Key]
    change: Change | None
    on_its_way: bool


@dataclass(eq=False, slots=True)
class Peer:
    """A connection, as the bus has to see it.

    Attributes:
        over: nothing it says counts any more.
        refused: the bus has to say ERROR.
        paused: it does not read, so nothing may be delivered.
        owed: receipts that are due, and the number of changes that must be durable before.
    """

    version: str
    open: bool = False
    over: bool = False
    refused: bool = False
    paused: bool = False
    takers: dict[str, Taker] = field(default_factory=dict)
    held: dict[int, tuple[Copy, Taker]] = field(default_factory=dict)
    transactions: dict[str, list[Said]] = field(default_factory=dict)
    owed: dict[str, tuple[int, Change | None]] = field(default_factory=dict)


class Model:
    """Judges one bus over all its crashes; every violation is an AssertionError.

    Attributes:
        copies: by key, all that the bus ever accepted.
        delivered: names of the copies that were ever written to a client.
        receipted: names of the copies whose SEND or COMMIT was.
        durables: durable subscriptions by name.
        crashes: of the bus, when anything is counted anew.
        deliveries: how many may fail before a message is buried, 0 for any number.
        narrow: whether so few messages may be parked that the queue has to wait for a busy owner of a group.
        paged: whether queues read on in the store; what is parked for a group's owner may pass what is not read yet.
        grouped: deliveries of messages that had a group.
        buried: messages that became dead letters.
    """

    def __init__(self, wall_ms: Callable[[], float]) -> None:
        self.deliveries = 0
        self.narrow = self.paged = False
        self.grouped = self.buried = 0
        self._takers: defaultdict[str, list[Taker]] = defaultdict(list)
        self._owners: dict[tuple[str, str], Taker] = {}
        self.copies: dict[Key, Copy] = {}
        self.delivered: set[str] = set()
        self.receipted: set[str] = set()
        self.disk: Disk
        self._wall_ms = wall_ms
        self._live: defaultdict[str, dict[Key, Copy]] = defaultdict(dict)
        self._ranks = 0
        self._turn = 0
        self._handed: defaultdict[str, list[Copy]] = defaultdict(list)
        self._base: dict[Key, int] = {}
        self._log: list[Change] = []
        self._promised = 0
        self.durables: dict[str, Durable] = {}
        self._last_durable = 0
        self._window: dict[tuple[str, str], Seen] = {}

    # What the bus is told.

    def hears(self, peer: Peer, said: Said) -> None:
        """Take note of a frame that reached the bus whole."""
        if peer.over:
            return
        wanted = said.headers.get("receipt")
        change = Change()
        if said.command == "DISCONNECT":
            self.ends(peer, counted=False)
            if wanted is not None:
                peer.owed[wanted] = (len(self._log), None)
            return
        if said.copy is not None and said.copy.delay:
            said.copy.due = int(self._wall_ms()) + said.copy.delay
        if not self._follow(peer, said, change):
            self.refuse(peer)
            return
        self._note(change)
        if wanted is not None:
            needs = [n for n, each in enumerate(self._log, start=1) if any(each is other for other in change.needs)]
            peer.owed[wanted] = (len(self._log) if change else max(needs, default=0), change)

    def _follow(self, peer: Peer, said: Said, change: Change) -> bool:
        """Follow a frame, and return whether it is allowed."""
        if said.command in {"SEND", "ACK", "NACK", "COMMIT"}:
            return self._handle(peer, said, change)
        if _NAME_HEADER in said.headers:
            return self._arrange_durable(peer, said, change)
        self._arrange(peer, said)
        return True

    def _arrange(self, peer: Peer, said: Said) -> None:
        """Follow a frame that moves no message."""
        headers = said.headers
        if said.command == "CONNECT":
            peer.open = True
        elif said.command == "SUBSCRIBE":
            self._subscribe(peer, headers)
        elif said.command == "UNSUBSCRIBE":
            self._leave(peer.takers.pop(headers["id"]))
        elif said.command == "BEGIN":
            peer.transactions[headers["transaction"]] = []
        else:
            assert said.command == "ABORT"
            del peer.transactions[headers["transaction"]]

    def _handle(self, peer: Peer, said: Said, change: Change) -> bool:
        """Follow a frame that moves messages, and return whether it is allowed."""
        transaction = said.headers.get("transaction", "")
        if said.command == "COMMIT":
            steps = peer.transactions.pop(transaction)
            if not self._may_commit(peer, steps):
                return False
            for step in steps:
                self._apply(peer, step, change)
            return True
        if said.copy is None and not self._holds(peer, said):
            return False
        if transaction:
            peer.transactions[transaction].append(said)
        else:
            self._apply(peer, said, change)
        return True

    def refuse(self, peer: Peer) -> None:
        """The bus has to say ERROR and to hang up, which is the client's fault."""
        peer.refused = True
        self.ends(peer, counted=True)

    def ends(self, peer: Peer, *, counted: bool) -> None:
        """Take note that the connection is gone."""
        if not peer.over:
            peer.over = True
            self._give_back_all(peer, counted=counted)

    def arrives(self, keys: Iterable[Key]) -> None:
        """Take note that the bus knows that these are durable."""
        for key in keys:
            copy = self.copies.get(key)
            assert copy is not None, f"{key} is stored and nobody sent it, or nobody has committed it"
            if copy.place is Place.ON_ITS_WAY:
                copy.place = Place.WAITING
            for seen in self._window.values():
                seen.on_its_way = seen.on_its_way and key not in seen.keys

    def crashed(self, peers: Iterable[Peer]) -> None:
        """Find what is durable: all changes up to some one of them, and not fewer than were promised."""
        for peer in peers:
            peer.over = True
        self.check_disk()
        durable = self.disk.now
        for copy in [copy for copies in self._live.values() for copy in copies.values()]:
            copy.place = Place.GONE
        self._live.clear()
        self._find_durables(durable)
        self._window = {
            name: Seen(seen.at, seen.keys, None, on_its_way=False)
            for name, seen in self._window.items()
            if any(key in self.disk.ever for key in seen.keys)
        }
        self._takers.clear()
        self._owners.clear()
        for key, count in durable.items():  # which may have been settled, but not durably
            if not key[0]:
                continue
            copy = self._live[key[1]][key] = self.copies[key]
            copy.place, copy.count, copy.stored = Place.WAITING, count, True
        self._base, self._log, self._promised = dict(durable), [], 0

    # What the bus says.

    def says(self, peer: Peer, heard: Heard) -> None:
        """Judge a frame that the bus wrote."""
        if heard.command == "MESSAGE":
            self._judge_message(peer, heard)
        elif heard.command == "RECEIPT":
            self._judge_receipt(peer, heard.headers["receipt-id"])
        elif heard.command == "ERROR":
            assert peer.refused, f"an ERROR that nobody deserved: {heard}"
        else:
            assert heard.command == "CONNECTED", heard

    def turned(self) -> None:
        """Judge the order of what a turn has handed out: nothing may be left that had to go first."""
        self._turn += 1
        for queue, handed in self._handed.items():
            left = [copy for copy in self._live[queue].values() if copy.place is Place.WAITING and self._ready(copy)]
            if not self.narrow:
                compared = [copy for copy in handed if not (copy.group and self.paged)]
                self._check_order(compared, [copy for copy in left if not copy.group])
            for kind in {self._kind(copy) for copy in handed if copy.group}:
                same = [[copy for copy in copies if self._kind(copy) == kind] for copies in (handed, left)]
                self._check_order(*same)
        self._handed.clear()

    def _kind(self, copy: Copy) -> tuple[str, int]:
        """Whose order is kept: a group's, and inside one priority when the queue may have to wait."""
        return copy.group, copy.priority if self.narrow else 0

    def _check_order(self, handed: list[Copy], left: list[Copy]) -> None:
        if left and handed:
            last, first = max(handed, key=lambda copy: copy.turn), min(left, key=lambda copy: copy.turn)
            assert last.turn < first.turn, f"{last} was delivered, and {first} was not"

    # What must be true when nothing is under way.

    def check_quiet(self, peers: Iterable[Peer], counted: Mapping[str, tuple[int, int, int]]) -> None:
        """Compare the bus's own figures, and find who waits for what the bus has to do at once.

        Args:
            peers: connections that are open.
            counted: waiting, in flight and delayed, by queue.
        """
        self.check_disk()
        now = self._wall_ms()
        takers = [(peer, taker) for peer in peers for taker in peer.takers.values() if peer.open and not peer.over]
        for queue in sorted({*self._live, *counted}):
            copies = self._live[queue].values()
            assert all(copy.place is not Place.ON_ITS_WAY for copy in copies), f"{queue}: something did not arrive"
            waiting = sum(copy.place is Place.WAITING and not self._stale(copy) for copy in copies)
            stale = sum(copy.place is Place.WAITING and self._stale(copy) for copy in copies)
            held = sum(copy.place is Place.HELD for copy in copies)
            delayed = sum(copy.place is Place.WAITING and copy.due > now for copy in copies)
            have = counted.get(queue, (0, 0, 0))
            assert waiting <= have[0] + have[2] <= waiting + stale, f"{queue}: {have}, but {waiting} (+{stale}) wait"
            assert have[1] == held, f"{queue}: {have}, but {held} are in flight"
            if all(abs(copy.due - now) > 1 for copy in copies):
                assert have[2] == delayed, f"{queue}: {have}, but {delayed} are held back"
            idle = [taker for peer, taker in takers if taker.queue == queue and self._could_take(peer, taker)]
            ready = [copy for copy in copies if copy.place is Place.WAITING and self._ready(copy)]
            missed = [copy for copy in ready if self._must_go(copy, idle)]
            assert not missed, f"{queue}: {idle[0]} has room, and nobody gives it {missed[0]}"
        for peer in peers:
            if peer.open and not peer.over:
                assert not peer.owed, f"receipts that never came: {peer.owed}"
                for taker in peer.takers.values():
                    assert not taker.browses or peer.paused, f"{taker} was not shown {taker.browses}"

    def check_disk(self) -> None:
        """The disk holds what some first part of all changes makes of it, and all that was promised."""
        self.disk.check()
        now = self._wall_ms()
        state, durable = dict(self._base), self.disk.now
        wrong = {
            key for key in {*state, *durable} if state.get(key) != durable.get(key) and not self._may_lack(key, now)
        }
        if not wrong and not self._promised:
            return
        for index, change in enumerate(self._log, start=1):
            touched = [copy.key for copy in (*change.puts, *change.drops)]
            for copy in change.puts:
                state[copy.key] = 0
            for copy, count in change.counts:
                if copy.key in state:
                    state[copy.key] = count
                    touched.append(copy.key)
            for copy in change.drops:
                state.pop(copy.key, None)
            for key in touched:
                if state.get(key) == durable.get(key) or self._may_lack(key, now):
                    wrong.discard(key)
                else:
                    wrong.add(key)
            if not wrong and index >= self._promised:
                return
        raise AssertionError(f"the disk holds no first part of what was accepted; wrong are {sorted(wrong)}")

    @property
    def left(self) -> list[Copy]:
        """What somebody still has to get."""
        return [copy for copies in self._live.values() for copy in copies.values() if not self._stale(copy)]

    @property
    def queues(self) -> list[str]:
        return sorted(name for name, copies in self._live.items() if copies)

    def may_be_lost(self, name: str) -> bool:
        """Whether a message may be gone without a delivery: because of its age, or it was never to be stored.

        That is so of what was sent twice, or to a topic that nobody wanted, or whose subscription has ended.
        """
        copies = [copy for (each, _), copy in self.copies.items() if each == name]
        return not copies or any(copy.expires or not copy.stored for copy in copies)

    def _may_lack(self, key: Key, now: float) -> bool:
        copy = self.copies.get(key)
        return copy is not None and bool(copy.expires) and copy.expires <= now

    def _could_take(self, peer: Peer, taker: Taker) -> bool:
        entitled = self._chosen(taker.queue) in {None, taker}
        return entitled and not peer.paused and taker.browses is None and taker.holds < taker.prefetch

    def _must_go(self, copy: Copy, idle: list[Taker]) -> bool:
        """Whether one of those who have room should have got this."""
        if not copy.group:
            waits = self.narrow and any(c.group and c.place is Place.WAITING for c in self._live[copy.queue].values())
            return bool(idle) and not waits
        owner = self._owners.get((copy.queue, copy.group))
        if owner is None or (owner not in self._takers[copy.queue] and not self._holders(copy)):
            return bool(idle) and not self.narrow
        return owner in idle and not self.narrow

    def _holders(self, copy: Copy) -> list[Taker]:
        """Who holds messages of the same group."""
        same = [c for c in self._live[copy.queue].values() if c.group == copy.group and c.place is Place.HELD]
        return [c.holder for c in same if c.holder is not None]

    def _chosen(self, queue: str) -> Taker | None:
        return next((taker for taker in self._takers[queue] if taker.exclusive), None)

    def _leave(self, taker: Taker) -> None:
        if taker.browses is None:
            self._takers[taker.queue].remove(taker)

    def _stale(self, copy: Copy) -> bool:
        return bool(copy.expires) and copy.expires <= self._wall_ms()

    def _ready(self, copy: Copy) -> bool:
        return (not copy.due or copy.due + 1 <= self._wall_ms()) and not self._stale(copy)

    def _subscribe(self, peer: Peer, headers: Mapping[str, str]) -> None:
        mode, queue = headers["ack"], headers["destination"]
        if _NAME_HEADER in headers:
            queue = self.durables[headers[_NAME_HEADER]].queue
        prefetch = int(headers.get("prefetch-count", "1000")) or UNLIMITED
        taker = Taker(headers["id"], queue, mode, UNLIMITED if mode == "auto" else prefetch)
        if "browser" in headers:
            taker.browses = [copy for copy in self._live[queue].values() if copy.place is not Place.ON_ITS_WAY]
        else:
            taker.exclusive = "true" in (headers.get("exclusive"), headers.get("activemq.exclusive"))
            self._takers[queue].append(taker)
        peer.takers[taker.name] = taker

    def _named(self, peer: Peer, said: Said) -> int:
        return int(said.headers["id" if peer.version == "1.2" else "message-id"])

    def _holds(self, peer: Peer, said: Said) -> bool:
        """Whether a client may settle what it names; one of 1.1 may mistake a subscription for another of its name."""
        found = peer.held.get(self._named(peer, said))
        return found is not None and (peer.version != "1.1" or found[1].name == said.headers["subscription"])

    def _covered(self, peer: Peer, number: int) -> list[int]:
        taker = peer.held[number][1]
        if taker.mode != "client":
            return [number]
        numbers = [each for each, (_, holder) in peer.held.items() if holder is taker]
        return numbers[: numbers.index(number) + 1]

    def _may_commit(self, peer: Peer, steps: list[Said]) -> bool:
        settled: set[int] = set()
        for step in steps:
            if step.command != "SEND":
                number = self._named(peer, step)
                if not self._holds(peer, step) or number in settled:
                    return False
                settled.update(self._covered(peer, number))
        return True

    def _apply(self, peer: Peer, said: Said, change: Change) -> None:
        if said.copy is not None:
            self._publish(said.copy, change)
            return
        for number in self._covered(peer, self._named(peer, said)):
            copy, taker = peer.held.pop(number)
            taker.holds -= 1
            copy.holder = None
            counted = said.headers.get("count") != "false"
            reason = said.headers.get("reason", "")
            if said.command == "ACK":
                self._drop(copy, change)
            elif said.headers.get("requeue") == "false" and not copy.dead:
                self._bury(copy, change, copy.count + counted, reason or "rejected by its consumer")
            else:
                self._give_back(copy, change, counted=counted, reason=reason)

    def _bury(self, copy: Copy, change: Change, count: int, reason: str) -> None:
        self.buried += 1
        self._drop(copy, change)
        name = copy.queue.split("/", 2)[2]
        dead = Copy(
            copy.name, copy.token, f"/queue/DLQ.{name}", copy.priority, stored=copy.stored, group=copy.group,
            count=count, reason=reason,
        )  # fmt: skip
        self._put(dead, change)
        if dead.stored:
            change.counts.append((dead, count))

    def _publish(self, copy: Copy, change: Change) -> None:
        rows = [copy]
        if copy.queue.startswith("/topic/"):
            hearing = [each for each in self.durables.values() if _fits(each.pattern, copy.queue)]
            rows = [self._copy_for(durable, copy) for durable in hearing if copy.stored]
        if copy.dedupe:
            seen = self._window.get((copy.queue, copy.dedupe))
            now = self._wall_ms()
            if seen is not None and (seen.on_its_way or now - seen.at < WINDOW_SECONDS * 1000):
                if seen.on_its_way and seen.change is not None and seen.change is not change:
                    change.needs.append(seen.change)
                return
            keys, stored = [row.key for row in rows], any(row.stored for row in rows)
            self._window[copy.queue, copy.dedupe] = Seen(now, keys, change, on_its_way=stored)
        for row in rows:
            self._put(row, change)

    def _copy_for(self, durable: Durable, copy: Copy) -> Copy:
        return Copy(
            copy.name, copy.token, durable.queue, copy.priority, copy.delay, copy.expires, group=copy.group,
            due=copy.due, topic=copy.queue,
        )  # fmt: skip

    def _arrange_durable(self, peer: Peer, said: Said, change: Change) -> bool:
        """Follow a frame that names a durable subscription, and return whether it is allowed."""
        name = said.headers[_NAME_HEADER]
        durable = self.durables.get(name)
        if said.command == "UNSUBSCRIBE":
            return durable is not None and self._end_durable(peer, name, durable, change)
        if durable is None:
            self._last_durable += 1
            sign = Copy("", "", f"/durable/u/{name}/{self._last_durable}")
            durable = self.durables[name] = Durable(said.headers["destination"], sign, change)
            change.puts.append(sign)
        elif durable.opened is not None:
            change.needs.append(durable.opened)
        self._subscribe(peer, said.headers)
        durable.takers.append((peer, peer.takers[said.headers["id"]]))
        return True

    def _end_durable(self, peer: Peer, name: str, durable: Durable, change: Change) -> bool:
        takers = [(each, taker) for each, taker in durable.takers if each.takers.get(taker.name) is taker]
        if any(each is not peer for each, _ in takers):
            return False
        for _, taker in takers:
            self._leave(peer.takers.pop(taker.name))
        del self.durables[name]
        change.drops.append(durable.sign)
        for copy in list(self._live[durable.queue].values()):
            self._drop(copy, change)
            copy.stored = False  # any more, for whoever still holds it
        return True

    def _find_durables(self, durable: Mapping[Key, int]) -> None:
        """See which subscriptions are left after a crash."""
        self._last_durable = 0
        self.durables = {}
        for queue in (queue for name, queue in durable if not name):
            name, number = queue.split("/")[3:]
            pattern = {"d1": "/topic/t.*", "d2": "/topic/t.1"}[name]
            self.durables[name] = Durable(pattern, Copy("", "", queue), None)
            self._last_durable = max(self._last_durable, int(number))

    def _put(self, copy: Copy, change: Change) -> None:
        # What was buried shortly before a crash may have to be buried once more.
        assert copy.key not in self.copies or (copy.key not in self.disk.ever and copy.queue.startswith("/queue/DLQ."))
        self._ranks += 1
        copy.rank = self._ranks
        self.copies[copy.key] = self._live[copy.queue][copy.key] = copy
        if copy.stored:
            change.puts.append(copy)
        else:
            copy.place = Place.WAITING

    def _drop(self, copy: Copy, change: Change) -> None:
        copy.place = Place.GONE
        self._live[copy.queue].pop(copy.key, None)
        if copy.stored:
            change.drops.append(copy)

    def _give_back(self, copy: Copy, change: Change, *, counted: bool, reason: str = "") -> None:
        copy.place = Place.WAITING
        if counted and not copy.dead and copy.count + 1 >= self.deliveries > 0:
            count = copy.count + 1
            self._bury(
                copy, change, count, reason or f"delivered {count} {'time' if count == 1 else 'times'} without an ack"
            )
        elif counted:
            copy.count += 1
            if copy.stored:
                change.counts.append((copy, copy.count))

    def _give_back_all(self, peer: Peer, *, counted: bool) -> None:
        peer.transactions.clear()
        for taker in peer.takers.values():
            self._leave(taker)
        peer.takers.clear()
        change = Change()
        for copy, _ in peer.held.values():
            copy.holder = None
            self._give_back(copy, change, counted=counted)
        peer.held.clear()
        self._note(change)

    def _note(self, change: Change) -> None:
        if change:
            self._log.append(change)

    def _judge_receipt(self, peer: Peer, name: str) -> None:
        assert name in peer.owed, f"receipt {name} came twice, or for nothing"
        upto, change = peer.owed.pop(name)
        self._promised = max(self._promised, upto)
        for each in self._log[:upto] if change is None else [change, *change.needs]:
            for copy in each.puts:
                assert copy.key in self.disk.ever, f"receipt {name} came before {copy} was durable"
                self.receipted.add(copy.name)
            for copy in each.drops:
                assert copy.key not in self.disk.now, f"receipt {name} came before {copy} was durably done"

    def _judge_message(self, peer: Peer, heard: Heard) -> None:
        headers = heard.headers
        assert not peer.over, f"delivered to somebody who is gone: {heard}"
        assert not peer.paused, f"delivered to somebody who does not read: {heard}"
        taker = peer.takers.get(headers["subscription"])
        assert taker is not None, f"delivered to somebody who has unsubscribed: {heard}"
        if headers.get("browser") == "end":
            assert taker.browses is not None
            missed = [copy for copy in taker.browses if copy.key in self._live[copy.queue] and not self._stale(copy)]
            assert all(copy.number in taker.seen for copy in missed), f"not shown: {missed}"
            taker.browses = []
            return
        copy = self.copies.get((headers["copy"], taker.queue))
        assert copy is not None, f"nobody sent this, or nobody has committed it: {heard}"
        assert heard.body.decode() == copy.token, f"another body than {copy}: {heard}"
        assert headers["destination"] == (copy.topic or copy.queue), heard
        number = int(headers["message-id"])
        assert copy.number in {0, number}, f"{copy} has another number: {heard}"
        copy.number = number
        assert not copy.stored or copy.key in self.disk.ever, f"delivered before it was durable: {copy}"
        if taker.browses is not None:
            assert number not in taker.seen, f"shown twice: {copy}"
            taker.seen.add(number)
            return
        assert copy.place is Place.WAITING, f"delivered although it is {copy.place}: {copy}"
        assert copy.due <= self._wall_ms() + 0.01, f"delivered early: {copy}"
        assert not self._stale(copy), f"delivered although it is worth nothing any more: {copy}"
        count = int(headers.get("delivery-count", "0"))
        assert count == copy.count, f"delivery-count is {count}: {copy}"
        assert headers.get("redelivered", "false") == ("true" if count else "false"), heard
        self._keep_order(taker, copy)
        assert self._chosen(taker.queue) in {None, taker}, f"delivered to {taker}, who is not the exclusive one"
        assert headers.get("reason", "") == copy.reason, f"another reason: {heard}"
        self._keep_group(taker, copy, first=headers.get("JMSXGroupFirstForConsumer") == "true")
        self.delivered.add(copy.name)
        self._handed[copy.queue].append(copy)
        if taker.mode == "auto":
            change = Change()
            self._drop(copy, change)
            self._note(change)
            return
        copy.place = Place.HELD
        copy.holder = taker
        peer.held[number] = copy, taker
        taker.holds += 1
        assert taker.holds <= taker.prefetch, f"more than {taker.prefetch} for {taker}"

    def _keep_group(self, taker: Taker, copy: Copy, *, first: bool) -> None:
        if not copy.group:
            assert not first, f"not of a group: {copy}"
            return
        self.grouped += 1
        others = [each for each in self._holders(copy) if each is not taker]
        assert not others, f"{copy} was delivered to {taker}, and {others[0]} holds others of its group"
        key = copy.queue, copy.group
        assert first or self._owners.get(key) is taker, f"{taker} was not told that {copy} is the first of its group"
        self._owners[key] = taker

    def _keep_order(self, taker: Taker, copy: Copy) -> None:
        if taker.last is not None and taker.last[0] == self._turn:
            assert taker.last[1] < copy.turn, f"out of order to {taker}: {copy}"
        taker.last = self._turn, copy.turn


def _fits(pattern: str, topic: str) -> bool:
    return pattern in {topic, "/topic/t.*"}
