"""What swarmage promises while the network fails, on every bus: nothing is lost, and work goes on by itself in time."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

import pytest
from conftest import SECONDS, Engine, eventually, together

from swarmage import Client, Drone, Reply, SwarmageError, Worker, ability
from swarmage.bus import backoff, connection
from swarmage.settings import Address
from swarmage.testing.fault_proxy import FaultProxy
from swarmage.testing.faults import Fault, Passage

pytestmark = [pytest.mark.acceptance, pytest.mark.needs("network")]

HEARTBEAT = 1.0
DEAD = 2.5 * HEARTBEAT
"""Seconds without a sign of life that end a connection."""
CLOSED = 5.0
"""Seconds within which work goes on where connections were ended: docs/engines.md, as all of these."""
UNHEARD = {"activemq": 10 * HEARTBEAT}
"""Seconds in which a bus notices that it does not hear of a client; DEAD where nothing is said."""
LOGIN = 7.0
"""Seconds more for a login that is lost too, and for the wait after it."""
BUSY = 10.0
"""Seconds more for a machine that does other things besides."""


class Wired:
    """A client and a drone, each behind a network of its own, and tasks that are inserted one after the other."""

    def __init__(self, engine: Engine, name: str = "next", *, silence: float = 0.0) -> None:
        self.engine = engine
        self.task_class = f"{engine.prefix}.{name}"
        self.performed: Counter[str] = Counter()
        self.replies: list[Reply[int]] = []
        self.errors: list[SwarmageError] = []
        self._stop = threading.Event()
        self._stack = ExitStack()
        self.near = self._stack.enter_context(FaultProxy(engine.url))
        self.far = self._stack.enter_context(FaultProxy(engine.url))
        settings = {"heartbeat": HEARTBEAT, "silence": silence}
        self.client = self._stack.enter_context(
            Client(replace(Address.parse(self.near.url), **settings).url, timeout=SECONDS)  # type: ignore[arg-type]
        )
        drone_url = replace(Address.parse(self.far.url), **settings).url  # type: ignore[arg-type]
        self.drone = Drone.start(workers=[self._worker()], url=drone_url, grace=5.0)
        self._stack.callback(self._leave)
        self._thread = threading.Thread(target=self._insert)

    @property
    def proxies(self) -> tuple[FaultProxy, FaultProxy]:
        return self.near, self.far

    def _worker(self) -> type[Worker]:
        performed = self.performed

        class Adder(Worker):
            concurrency = 4

            @ability(self.task_class)
            def next(self, number: int) -> int:
                performed[self.task.id] += 1
                threading.Event().wait(0.005)
                return number + 1

        return Adder

    def _leave(self) -> None:
        if self.drone.is_alive():
            self.drone.stop(timeout=SECONDS)

    def insert(self, number: int) -> Reply[int]:
        return self.client.insert(self.task_class, number)

    def _insert(self) -> None:
        while not self._stop.wait(0.05):
            try:
                self.replies.append(self.insert(len(self.replies)))
            except SwarmageError as error:
                self.errors.append(error)
                return

    def begin(self) -> None:
        """Insert tasks from now on, and see that they are performed."""
        self._thread.start()
        eventually(lambda: len(self.performed) > 5)

    def goes_on(self, seconds: float) -> None:
        """See that what is inserted from now on is performed and answered in so many seconds."""
        began = time.monotonic()
        assert self.insert(-1).result(seconds + BUSY) == 0
        assert time.monotonic() - began <= seconds + BUSY

    def end(self) -> None:
        """See that nothing is lost: each insert returned, was performed, and its originator got its result."""
        self._stop.set()
        self._thread.join(SECONDS)
        assert self.errors == []
        assert [reply.result(SECONDS) for reply in self.replies] == list(range(1, len(self.replies) + 1))
        assert {reply.id for reply in self.replies} <= self.performed.keys()

    def close(self) -> None:
        self._stop.set()
        for proxy in self.proxies:
            proxy.mend()
        if self._thread.ident is not None:
            self._thread.join(SECONDS)
        self._stack.close()


Make = Callable[..., Wired]


@pytest.fixture
def wired() -> Iterator[Make]:
    with ExitStack() as stack:

        def make(engine: Engine, name: str = "next", **settings: float) -> Wired:
            here = Wired(engine, name, **settings)
            stack.callback(here.close)
            return here

        yield make


def with_each(engines: Sequence[Engine], faults: Iterable[str], check: Callable[[Engine, str], None]) -> None:
    """Try all faults on all buses at the same time."""

    def begin(engine: Engine) -> None:
        def named(fault: str) -> None:
            try:
                check(engine, fault)
            except BaseException as error:
                error.add_note(f"with the fault {fault}")
                raise

        with ThreadPoolExecutor() as pool:
            for done in [pool.submit(named, fault) for fault in faults]:
                done.result()

    together(engines, begin)


def present(proxy: FaultProxy) -> Passage:
    """Return the one connection, when a drone on RabbitMQ has ended that on which it looks for orders."""
    assert proxy.wait(lambda proxy: len(proxy.passages) == 1, SECONDS)
    return proxy.passages[0]


def still_there(here: Wired, connections: Sequence[Passage]) -> bool:
    return all(one in proxy.passages for proxy, one in zip(here.proxies, connections, strict=True))


def test_connections_that_are_ended_are_made_again(engines: list[Engine], wired: Make) -> None:
    def check(engine: Engine, fault: str) -> None:
        here = wired(engine, fault)
        here.begin()
        for proxies in ([here.far], [here.near], here.proxies):
            for proxy in proxies:
                if fault == "refused":
                    proxy.refuse()
                proxy.reset()
            threading.Event().wait(0.5)
            for proxy in proxies:
                proxy.mend()
            here.goes_on(CLOSED)
        here.end()

    with_each(engines, ["reset", "refused"], check)


SLOW = {
    "far": Fault(delay=0.2),
    "narrow": Fault(bytes_per_second=64_000),
    "dribbling": Fault(piece=7, pause=0.0005),
    "still": Fault(stall=True),
}


def test_a_slow_network_ends_no_connection(engines: list[Engine], wired: Make) -> None:
    def check(engine: Engine, fault: str) -> None:
        here = wired(engine, fault)
        here.begin()
        connections = [present(proxy) for proxy in here.proxies]
        for proxy in here.proxies:
            proxy.set(up=SLOW[fault], down=SLOW[fault])
        if fault == "still":  # and for so short a time that it may be a slow one
            threading.Event().wait(HEARTBEAT)
            for proxy in here.proxies:
                proxy.mend()
        here.goes_on(CLOSED)
        here.end()
        assert still_there(here, connections)

    with_each(engines, SLOW, check)


def test_connections_that_fall_silent_are_made_again(engines: list[Engine], wired: Make) -> None:
    hole, still = Fault(black_hole=True), Fault(stall=True)
    silent = {
        "up": {"up": hole},
        "down": {"down": hole},
        "both": {"up": hole, "down": hole},
        "still": {"up": still, "down": still},
    }

    def check(engine: Engine, fault: str) -> None:
        here = wired(engine, fault)
        here.begin()
        connections = [present(proxy) for proxy in here.proxies]
        for proxy in here.proxies:
            proxy.set(**silent[fault])
        threading.Event().wait(DEAD + HEARTBEAT)
        for proxy in here.proxies:
            proxy.mend()  # what was lost in a black hole stays lost
        here.goes_on(LOGIN + (UNHEARD.get(engine.name, DEAD) if fault == "up" else DEAD))
        here.end()
        assert not any(
            one in proxy.passages and not one.up.swallowed for proxy, one in zip(here.proxies, connections, strict=True)
        )

    with_each(engines, silent, check)


def test_cuts_at_any_byte(engines: list[Engine], wired: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "LONGEST_RETRY", 0.1)
    monkeypatch.setattr(connection, "PROBE_SECONDS", 0.05)  # for TLS, where a login is cut
    seed = random.SystemRandom().randrange(2**32)
    print(f"replay with the seed {seed}")

    def check(engine: Engine) -> None:
        rng = random.Random(f"{seed} {engine.name}")
        here = wired(engine)
        here.begin()
        for _ in range(12):
            for proxy in here.proxies:
                proxy.next(**{rng.choice(["up", "down"]): Fault(cut_after=rng.randrange(3000))})
        for proxy in here.proxies:
            proxy.reset()
        for proxy in here.proxies:
            assert proxy.wait(lambda proxy: proxy.accepted > 12, SECONDS)
        here.goes_on(CLOSED)
        here.end()

    together(engines, check)


def test_an_insert_in_doubt_is_repeated_with_the_same_id(engines: list[Engine], wired: Make) -> None:
    def check(engine: Engine) -> None:
        here = wired(engine)
        here.goes_on(CLOSED)
        here.performed.clear()
        here.near.set(down=Fault(stall=True))  # the bus gets the task, and the client no receipt
        inserting = threading.Thread(target=lambda: here.replies.append(here.insert(0)))
        inserting.start()
        eventually(lambda: here.performed)
        assert inserting.is_alive()
        here.near.next()
        here.near.reset()
        here.near.mend()
        inserting.join(SECONDS)
        [reply] = here.replies
        eventually(lambda: here.performed[reply.id] == 2)
        assert here.performed == {reply.id: 2}
        assert reply.result(SECONDS) == 1

    together(engines, check)


class Deaf:
    """What a bus forgets: frames of one kind are taken out of the stream, all else passes."""

    def __init__(self, begins: bytes, holds: bytes) -> None:
        self.lost = 0
        self._begins, self._holds = begins, holds
        self._data = b""

    def __call__(self, data: bytes) -> bytes:
        *frames, self._data = (self._data + data).split(b"\0")
        kept = [
            frame for frame in frames if not (frame.lstrip(b"\r\n").startswith(self._begins) and self._holds in frame)
        ]
        self.lost += len(frames) - len(kept)
        beats = b"" if self._data.strip(b"\r\n") else self._data
        self._data = self._data[len(beats) :]
        return b"".join(frame + b"\0" for frame in kept) + beats


def test_a_subscription_that_brings_nothing_is_noticed_and_mended(
    engines: list[Engine], wired: Make, caplog: pytest.LogCaptureFixture
) -> None:
    def check(engine: Engine, fault: str) -> None:
        here = wired(engine, fault, silence=1.0)
        here.goes_on(CLOSED)
        deaf = Deaf(fault.encode(), f"/queue/swarmage.task.{here.task_class}".encode())
        here.far.next(**{"up" if fault == "SUBSCRIBE" else "down": Fault(change=deaf)})
        here.far.reset()
        assert here.insert(0).result(SECONDS) == 1
        assert deaf.lost
        mended = present(here.far)
        threading.Event().wait(3.0)  # nothing to do, and nothing wrong with that
        assert mended in here.far.passages

    with caplog.at_level(logging.WARNING, "swarmage.drone"):
        with_each(engines, ["SUBSCRIBE", "MESSAGE"], check)
    said = [text for text in caplog.messages if "although its queue waits" in text]
    assert len(said) == 2 * len(engines)
