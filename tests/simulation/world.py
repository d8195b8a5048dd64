"""One run: a bus, its clients, the network and the disk between them, and one seed that decides what happens next."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from unit.broker.driver import ManualClock

from swarmage.broker.hub import Hub
from swarmage.broker.limits import Limits
from swarmage.broker.queues import lane as lane_module
from swarmage.broker.queues import parking as parking_module
from swarmage.broker.queues.router import QUEUE
from swarmage.broker.storage.notes import DURABLE

from .clients import Client, Drainer
from .disk import Disk, Shelf, Table
from .model import WINDOW_SECONDS, Model
from .network import Link

_SMALL_HEADS = (2, 3, 5, 20)
_LONGEST_TRACE = 60
_WEIGHTS = {
    "act": 30, "carry": 25, "bring": 25, "turn": 20, "work": 15, "answer": 15, "wait": 5, "settle": 0.7, "lose": 0.7,
    "crash": 0.8, "stop": 0.2,
}  # fmt: skip


class Violation(AssertionError):
    """The bus broke its promise; says with which seed, and what happened before."""


@contextmanager
def small_heads(size: int | None, parked: int) -> Iterator[None]:
    """Keep no more than this many messages of a queue and priority in memory, and park no more than so many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parking_module, "MOST_PARKED", parked)
        if size is not None:
            patch.setattr(lane_module, "HEAD", size)
        yield


class World:
    """Everything that takes part; `run` lets it go on until all is quiet.

    Attributes:
        events: how many things happened.
        queues: how many there are.
        grouped: how many of all messages belong to a group.
    """

    def __init__(self, seed: int) -> None:
        self.events = 0
        self._rng = rng = random.Random(seed)
        self._clock = ManualClock()
        self._trace: deque[tuple[object, ...]] = deque(maxlen=_LONGEST_TRACE)
        self.model = Model(self.wall_ms)
        self._disk = self.model.disk = Disk(Table() if rng.random() < 0.7 else Shelf(), self.model.arrives, rng)
        self.model.deliveries = rng.choice([0, 0, 1, 2, 4])
        deliveries = (("/queue/", self.model.deliveries),) if self.model.deliveries else ()
        output = rng.choice([200, 2_000, 256 * 1024])
        self._limits = Limits(output_bytes=output, dedupe_seconds=WINDOW_SECONDS, deliveries=deliveries)
        self.model.narrow = rng.random() < 0.3
        self._parked = rng.choice([1, 2, 5]) if self.model.narrow else 1_000
        self.grouped = rng.choice([0.0, 0.2, 0.6, 1.0])
        self._head = rng.choice(_SMALL_HEADS) if rng.random() < 0.6 else None
        self.model.paged = self._head is not None
        self._links: list[Link] = []
        self._connections = self._buses = 0
        self.queues = rng.randrange(1, 4)
        self._clients = [Client(self, f"c{number}", rng) for number in range(rng.randrange(1, 5))]
        self._weights = {name: weight * rng.choice([0.3, 1, 1, 3]) for name, weight in _WEIGHTS.items()}
        self._steps = rng.randrange(50, 500)
        self._start()

    def wall_ms(self) -> float:
        return self._clock.wall() * 1000

    def trace(self, *what: object) -> None:
        """Note what happens, for whoever has to find out why it went wrong."""
        self._trace.append((round(self._clock.now, 3), *what))

    @property
    def story(self) -> str:
        """The last things that happened."""
        return "\n".join(" ".join(str(part) for part in event) for event in self._trace)

    def connect(self, client: Client, version: str) -> Link:
        """Open a connection."""
        self._connections += 1
        self.trace(f"{client.name} opens l{self._connections} for {version}")
        link = Link(self._hub, self.model, client, f"l{self._connections}", version)
        self._links.append(link)
        return link

    def abandon(self, link: Link) -> None:
        """Let a client forget its connection, of which the bus hears later."""
        self.trace(link.name, "is abandoned by its client")
        client, link.client = link.client, None
        if client is not None:
            client.gone()

    def run(self) -> None:
        """Let all happen, and judge it."""
        with small_heads(self._head, self._parked):
            names = list(self._weights)
            steps = {name: getattr(self, f"_{name}") for name in names}
            for name in self._rng.choices(names, list(self._weights.values()), k=self._steps):
                self.events += 1
                steps[name]()
            self._drain()
        self._disk.close()

    # What can happen.

    def _act(self) -> None:
        client = self._rng.choice(self._clients)
        for _ in range(self._rng.randrange(1, 3)):
            client.act()

    def _carry(self) -> None:
        links = [link for link in self._links if link.leaving]
        if links:
            link = self._rng.choice(links)
            size = self._size(link.leaving)
            self.trace(link.name, "->", size, "of", link.leaving)
            link.deliver(size)
        else:
            self._act()

    def _bring(self) -> None:
        links = [link for link in self._links if link.coming and link.client is not None and link.client.reads]
        if links:
            link = self._rng.choice(links)
            link.read(self._size(link.coming))
        else:
            self._act()

    def _size(self, most: int) -> int:
        return self._rng.choice([1, self._rng.randrange(1, most + 1), most, most, most, most])

    def _turn(self) -> bool:
        more = self._hub.turn()
        self.model.turned()
        return more

    def _work(self) -> None:
        if self._disk.jobs:
            self.trace("disk: one of", len(self._disk.jobs), "jobs")
            self._disk.work()
        else:
            self._act()

    def _answer(self) -> None:
        if self._disk.answers:
            self.trace("disk: one of", len(self._disk.answers), "answers")
            self._disk.answer()
        else:
            self._act()

    def _wait(self) -> None:
        self._let_pass(self._rng.choice([0.001, 0.1, 0.25, 0.25, 1.5, 5.0]))

    def _let_pass(self, seconds: float) -> None:
        self.trace("time:", seconds)
        at_once = seconds <= 1.5 and self._rng.random() < 0.3  # as when the loop was held up
        while seconds > 0:
            step = seconds if at_once else min(seconds, 0.25)
            seconds -= step
            self._clock.now += step
            for link in self._links:
                if link.beats and link.client is not None:
                    link.beat()
                    if self._rng.random() < 0.8 and not link.silent:
                        link.deliver(link.leaving)
            open_before = [link for link in self._links if not link.peer.over]
            self._hub.tick()
            for link in open_before:
                if link.session.id not in self._hub.sessions:
                    self.trace(link.name, "was too silent")
                    self.model.refuse(link.peer)
            self._turn()

    def _lose(self) -> None:
        if self._links:
            self._lose_one(self._rng.choice(self._links))

    def _lose_one(self, link: Link) -> None:
        self.trace(link.name, "is lost")
        self._links.remove(link)
        link.read(self._rng.randrange(link.coming + 1))
        client, link.client = link.client, None
        link.lose()
        if client is not None:
            client.gone()

    def _crash(self) -> None:
        self.trace("the bus crashes with", len(self._disk.jobs), "jobs and", len(self._disk.answers), "answers")
        links, self._links = self._links, []
        for link in links:
            link.closed = True
            link.read(self._rng.randrange(link.coming + 1))
            client, link.client = link.client, None
            if client is not None:
                client.gone()
        self._disk.crash()
        self.model.crashed(link.peer for link in links)
        self._start()

    def _stop(self) -> None:
        """Stop the bus and start it again, as its server does."""
        self.trace("the bus stops")
        self._settle()
        for link in self._links:
            self.model.ends(link.peer, counted=False)
        for session in list(self._hub.sessions.values()):
            session.close()
        self._turn()
        while self._disk.jobs:
            self._disk.work()
        self._crash()

    def _start(self) -> None:
        self._buses += 1
        self._hub = Hub(store=self._disk, clock=self._clock, limits=self._limits, name=f"bus{self._buses}")
        self._hub.rest.seconds = self._rng.choice([0.0, 0.005])
        self._hub.load()

    def _settle(self) -> None:
        """Let the bus and its disk finish, without the network."""
        self._hub.rest.seconds = 0.0
        while self._turn() or self._disk.jobs or self._disk.answers:
            if self._disk.jobs:
                self._disk.work()
            if self._disk.answers:
                self._disk.answer()
        assert self._hub.journal.idle
        self.model.check_quiet([link.peer for link in self._links if not link.closed], self._figures())

    def _figures(self) -> Mapping[str, tuple[int, int, int]]:
        return {
            queue.name: (queue.waiting.count, queue.in_flight, queue.delayed)
            for queue in self._hub.router.queues.values()
            if queue.name.startswith((QUEUE, DURABLE))
        }

    def _drain(self) -> None:
        """Let everybody go, take what is left, and see that nothing is missing."""
        self.trace("the end begins")
        if self._rng.random() < 0.3:
            self._crash()
        for link in list(self._links):
            self._lose_one(link)
        self._let_pass(3.0)
        self._settle()
        drainer = Drainer(self)
        assert drainer.link is not None
        self._exchange(drainer.link)
        assert not self.model.left, f"never delivered: {self.model.left}"
        drainer.end_durables()
        self._exchange(drainer.link)
        self._lose_one(drainer.link)
        self._let_pass(12.0)
        self._let_pass(12.0)
        self._settle()
        assert self._disk.now == {}, f"still stored: {self._disk.now}"
        assert not self._hub.router.queues, f"not forgotten: {self._figures()}"
        promised = {name for client in self._clients for name in client.promised}
        lost = {name for name in promised - self.model.delivered if not self.model.may_be_lost(name)}
        assert not lost, f"promised and never delivered: {sorted(lost)}"

    def _exchange(self, link: Link) -> None:
        while link.leaving or link.coming:
            link.deliver(link.leaving)
            self._settle()
            link.read(link.coming)


def run(seed: int) -> int:
    """Run the world of one seed and return how many things happened in it.

    Raises:
        Violation: the bus broke its promise.
    """
    world = World(seed)
    try:
        world.run()
    except Exception as error:
        kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        how = f"replay it with SWARMAGE_SEED={seed}"
        raise Violation(f"{kind}{error}\n\nThe last of {world.events} events ({how}):\n{world.story}") from error
    return world.events
