"""Clients that do at random everything a client may do, and remember what they were promised."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .model import Copy, Heard, Said
from .network import Link

if TYPE_CHECKING:
    from .world import World

LOGIN = "u"
DURABLES = {"d1": "/topic/t.*", "d2": "/topic/t.1"}
"""Durable subscriptions that everybody shares, by name."""
NAME_HEADER = "durable-subscription-name"
_TOPICS = ("/topic/t.1", "/topic/t.2")
QUEUES = ("/queue/a", "/queue/b", "/queue/c")
_DEAD = tuple(f"/queue/DLQ.{queue.removeprefix('/queue/')}" for queue in QUEUES)


@dataclass(eq=False)
class Got:
    """A message that this client holds."""

    number: str
    taker: str
    generation: int
    mode: str


@dataclass
class Open:
    """A transaction that this client has begun."""

    copies: list[Copy] = field(default_factory=list)
    settles: list[Got] = field(default_factory=list)


class Client:
    """One program that connects again whenever its connection is gone.

    Attributes:
        link: its connection, None while it has none.
        reads: whether it reads what comes.
        doubts: what it sent and was not told about before its connection was gone; it is sent again.
        promised: names of the copies whose receipt it has read.
    """

    def __init__(self, world: World, name: str, rng: random.Random) -> None:
        self.name = name
        self.link: Link | None = None
        self.reads = True
        self.doubts: list[Copy] = []
        self.promised: set[str] = set()
        self._world = world
        self._rng = rng
        self._tokens = self._copies = self._receipts = self._transactions = 0
        self._queues = QUEUES[: world.queues]
        self._topics = _TOPICS if rng.random() < 0.5 else ()
        self._dedupes = rng.choice([0.0, 0.1, 0.6])
        self._sent: list[Copy] = []
        self._sends = rng.choice([0.1, 0.3, 0.5, 0.9])  # some mostly send, some mostly take
        self._mode = rng.choice(["auto", "client", "client-individual", "client-individual"])
        self._forget()

    def _forget(self) -> None:
        self._waits: dict[str, list[Copy]] = {}
        self._takers: dict[str, tuple[str, str]] = {}
        self._generations: dict[str, int] = {}
        self._holds: list[Got] = []
        self._open: dict[str, Open] = {}
        self._leaving = False

    def act(self) -> None:
        """Do something."""
        if self.link is None:
            self._connect()
        elif self._leaving or self.link.ended:
            if not self.link.coming:
                self._world.abandon(self.link)
        elif self._open and self._rng.random() < 0.15:
            self._end_transaction(self._rng.choice(list(self._open)))
        elif self._rng.random() < 0.15:
            self._do_something_rare()
        elif self._holds and self._rng.random() < 0.6:
            self._settle()
        elif self._rng.random() < self._sends:
            self._send()
        elif not self._takers:
            self._subscribe()
        elif self._holds:
            self._settle()

    def hear(self, heard: Heard) -> None:
        """Take in a frame of the bus."""
        headers = heard.headers
        if heard.command == "RECEIPT":
            for copy in self._waits.pop(headers["receipt-id"], ()):
                self.promised.add(copy.name)
        elif heard.command == "MESSAGE" and "browser" not in headers:
            name = headers["subscription"]
            mode = self._takers.get(name, ("", "gone"))[1]
            if mode.startswith("client"):
                modern = self.link is not None and self.link.peer.version == "1.2"
                number = headers.get("ack", "") if modern else headers["message-id"]
                if number:  # else it was delivered to a subscription of the same name that needed no ACK
                    self._holds.append(Got(number, name, self._generations[name], mode))

    def gone(self) -> None:
        """Take note that the connection is: what was not confirmed is in doubt."""
        self.link = None
        self.doubts += [copy for copies in self._waits.values() for copy in copies]
        for opened in self._open.values():
            self.doubts += opened.copies
        self._forget()

    def _connect(self) -> None:
        version = self._rng.choice(["1.2", "1.2", "1.1", "1.0"])
        self.link = self._world.connect(self, version)
        self.reads = True
        headers = {"accept-version": version, "host": "anything", "login": LOGIN}
        if self._rng.random() < 0.5:
            headers["heart-beat"] = f"{self._rng.choice([0, 1000])},{self._rng.choice([0, 1000])}"
            self.link.beats = not headers["heart-beat"].startswith("0")
        self.link.say(Said("CONNECT", headers))

    def _say(self, command: str, headers: dict[str, str], copies: list[Copy], chance: float = 0.6) -> None:
        assert self.link is not None
        copy = copies[0] if command == "SEND" else None
        if self._rng.random() < chance:
            self._receipts += 1
            headers["receipt"] = f"r{self._receipts}"
            if "transaction" not in headers or command != "SEND":
                self._waits[headers["receipt"]] = copies
        self._world.trace(self.link.name, command, headers)
        self.link.say(Said(command, headers, copy))

    def _send(self) -> None:
        copy = self._new_copy()
        headers = {"destination": copy.queue, "copy": copy.name}
        options = {
            "priority": copy.priority if copy.priority != 4 or self._rng.random() < 0.1 else None,
            "delay": copy.delay or None,
            "expires": copy.expires or None,
            "persistent": None if copy.stored else "false",
            "dedupe-id": copy.dedupe or None,
            "JMSXGroupID": copy.group or None,
            "content-length": len(copy.token) if self._rng.random() < 0.5 else None,
            "transaction": self._some_transaction(),
        }
        headers |= {name: str(value) for name, value in options.items() if value is not None}
        if "transaction" in headers:
            self._open[headers["transaction"]].copies.append(copy)
        self._say("SEND", headers, [copy])

    def _new_copy(self) -> Copy:
        rng = self._rng
        self._copies += 1
        name = f"{self.name}.{self._copies}"
        if self.doubts and rng.random() < 0.7:
            return self._again(self.doubts.pop(0), name)
        if self._sent and rng.random() < 0.05:
            return self._again(rng.choice(self._sent), name)
        self._tokens += 1
        topic = bool(self._topics) and rng.random() < 0.3
        copy = Copy(name, f"{self.name}-{self._tokens}", rng.choice(self._topics if topic else self._queues))
        if rng.random() < 0.2:
            copy.priority = rng.randrange(10)
        if rng.random() < 0.1:
            copy.delay = rng.choice([1, 300, 2_000])
        if rng.random() < 0.05:
            copy.expires = int(self._world.wall_ms()) + rng.choice([1, 500, 5_000])
        if rng.random() < 0.05:
            copy.stored = False
        if rng.random() < 0.05:
            copy.token += "-" * 900
        if rng.random() < self._world.grouped:
            copy.group = rng.choice(["g1", "g2", "g3"])
        if rng.random() < self._dedupes:
            copy.dedupe = f"{self.name}-{self._tokens}"
            self._sent = [*self._sent[-5:], copy]
        return copy

    def _again(self, copy: Copy, name: str) -> Copy:
        again = Copy(name, copy.token, copy.queue, copy.priority, copy.delay, copy.expires, copy.stored, copy.group)
        again.dedupe = copy.dedupe
        return again

    def _subscribe(self) -> None:
        rng = self._rng
        free = [name for name in ("x", "y", "z") if name not in self._takers]
        if not free:
            return
        name, queue = free[0], rng.choice(self._queues + (_DEAD if rng.random() < 0.2 else ()))
        mode = self._mode if rng.random() < 0.8 else "client"
        headers = {"id": name, "destination": queue, "ack": mode}
        if rng.random() < 0.8:
            headers["prefetch-count"] = str(rng.choice([1, 1, 2, 3, 10, 0]))
        if self._topics and rng.random() < 0.5:
            queue = rng.choice(list(DURABLES))
            headers |= {"destination": DURABLES[queue], NAME_HEADER: queue}
        elif rng.random() < 0.1:
            headers |= {"browser": "true", "ack": "auto"}
        elif rng.random() < 0.1:
            headers[rng.choice(["exclusive", "activemq.exclusive"])] = "true"
        self._takers[name] = queue, headers["ack"]
        self._generations[name] = self._generations.get(name, 0) + 1
        self._say("SUBSCRIBE", headers, [], 0.2)

    def _settle(self) -> None:
        rng = self._rng
        got = self._holds[rng.randrange(len(self._holds))] if rng.random() < 0.3 else self._holds[0]
        settled = [got]
        if got.mode == "client":
            same = [each for each in self._holds if (each.taker, each.generation) == (got.taker, got.generation)]
            settled = same[: same.index(got) + 1]
        for each in settled:
            self._holds.remove(each)
        version = self.link.peer.version if self.link else ""
        headers = {"id" if version == "1.2" else "message-id": got.number}
        if version == "1.1":
            headers["subscription"] = got.taker
        command = "ACK" if rng.random() < 0.6 else "NACK"
        if command == "NACK":
            headers |= rng.choice([{}, {}, {"count": "false"}, {"requeue": "false"}, {"reason": "broken"}])
        opened = self._some_transaction()
        if opened is not None:
            headers["transaction"] = opened
            self._open[opened].settles += settled
        self._say(command, headers, [])

    def _some_transaction(self) -> str | None:
        if self._open and self._rng.random() < 0.8:
            return self._rng.choice(list(self._open))
        return None

    def _do_something_rare(self) -> None:
        rng = self._rng
        assert self.link is not None
        choice = rng.random()
        if choice < 0.5 and len(self._open) < 2:
            self._transactions += 1
            self._open[f"t{self._transactions}"] = Open()
            self._say("BEGIN", {"transaction": f"t{self._transactions}"}, [], 0.1)
        elif choice < 0.7:
            self._subscribe()
        elif choice < 0.86 and self._takers:
            self._unsubscribe(rng.choice(list(self._takers)))
        elif choice < 0.9:
            self.reads = not self.reads
        elif choice < 0.93:
            self._say("DISCONNECT", {}, [], 0.7)
            self._leaving = True
        elif choice < 0.96:
            self._world.abandon(self.link)
        elif choice < 0.97:
            self.link.silent = True
            self._world.abandon(self.link)

    def _unsubscribe(self, name: str) -> None:
        headers = {"id": name}
        ended = {name}
        durable = self._takers[name][0]
        if durable in DURABLES and self._rng.random() < 0.4:
            headers[NAME_HEADER] = durable
            ended = {each for each, (queue, _) in self._takers.items() if queue == durable}
        self._say("UNSUBSCRIBE", headers, [], 0.3)
        for each in ended:
            del self._takers[each]

    def _end_transaction(self, name: str) -> None:
        opened = self._open.pop(name)
        if self._rng.random() < 0.8:
            self._say("COMMIT", {"transaction": name}, opened.copies, 0.8)
            return
        self._say("ABORT", {"transaction": name}, [], 0.3)
        self._holds += opened.settles  # perhaps not in the order of their delivery, which is this client's fault
        self.doubts += opened.copies


class Drainer(Client):
    """Takes and settles whatever is left, one message after the other."""

    def __init__(self, world: World) -> None:
        super().__init__(world, "drainer", random.Random(0))
        self.link = self._world.connect(self, "1.2")
        self.link.say(Said("CONNECT", {"accept-version": "1.2", "host": "anything", "login": LOGIN}))
        queues = [queue for queue in world.model.queues if queue.startswith("/queue/")]
        self._durables = sorted(world.model.durables)
        taken = [{"destination": queue} for queue in queues]
        taken += [{"destination": DURABLES[name], NAME_HEADER: name} for name in self._durables]
        for number, more in enumerate(taken):
            headers = {"id": str(number), "ack": "client-individual", "prefetch-count": "3", **more}
            self.link.say(Said("SUBSCRIBE", headers))

    def end_durables(self) -> None:
        assert self.link is not None
        for name in self._durables:
            self.link.say(Said("UNSUBSCRIBE", {"id": "any", NAME_HEADER: name}))

    def hear(self, heard: Heard) -> None:
        assert self.link is not None
        if heard.command == "MESSAGE":
            self.link.say(Said("ACK", {"id": heard.headers["ack"]}))
