"""The buses on which the promises are tried, and what each of them lacks or does less well.

This folder is the suite of what swarmage promises its users on every bus; tests/conformance is that of the STOMP
protocol, for our own bus. What differs between the buses stands in `ENGINES` and in `Engine`, not in the tests.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pykka
import pytest
from memory import Memory, MemoryDrones
from workers.engine_workers import steady

from benchmarks.brokers import ActiveMQ, Broker, Embedded
from benchmarks.rabbitmq import RabbitMQ
from swarmage import Client, Drone, Worker

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What is known of one bus.

    Attributes:
        broker: what starts it.
        end: of its URL.
        again: tasks that are performed twice at most when a drone of four workers is killed.
        kills: drones that a task kills at most, until it is a dead letter: the table in docs/engines.md.
        has: what not every bus has; a test that needs some of it says so with ``needs``, and is not tried elsewhere.
            ``processes`` of others reach it; there is a ``network`` in between; it has ``logins`` and ``vhosts``,
            queues that are ``declared`` of one kind, a ``limit`` known before anything is sent, the ``keys`` of actors.
    """

    broker: type[Broker]
    end: str = ""
    again: int = 8
    kills: int = 5
    has: frozenset[str] = frozenset({"processes", "network", "logins"})


_HAS = Kind.has
ENGINES: Mapping[str, Kind] = {
    "memory": Kind(broker=Memory, again=4, kills=3, has=frozenset({"keys"})),
    "embedded": Kind(broker=Embedded, again=4, kills=3, has=_HAS | {"keys"}),
    "rabbitmq": Kind(broker=RabbitMQ, kills=4, has=_HAS | {"vhosts", "declared", "limit"}),
    "rabbitmq-classic": Kind(broker=RabbitMQ, end="/classic?queues=classic", has=_HAS | {"vhosts", "limit"}),
    "activemq": Kind(broker=ActiveMQ, has=_HAS | {"limit"}),
}
SECONDS = 30.0
"""How long a test waits for what should come soon, on a busy machine."""
ROOT = Path(__file__).resolve().parents[2]
_numbers = itertools.count(1)


class Engine:
    """A bus, and what a test wants of it.

    Attributes:
        name: which one it is.
        kind: what is known of it.
        broker: its process.
        url: where it listens.
        prefix: how the task classes of the present test begin.
    """

    def __init__(self, name: str, broker: Broker) -> None:
        self.name = name
        self.kind = ENGINES[name]
        self.broker = broker
        self.url = broker.address.url + self.kind.end
        self.prefix = ""
        self._stack = ExitStack()

    def client(self, timeout: float = 20.0) -> Client:
        return self._stack.enter_context(Client(self.url, timeout=timeout))

    def drone(self, *workers: type[Worker], **settings: Any) -> pykka.ActorRef[Drone]:
        """Start a drone in this process; it is stopped with the test."""
        ref = Drone.start(**{"workers": workers, "url": self.url, "grace": 5.0, **settings})
        self._stack.callback(_stop, ref)
        return ref

    def supervised(self, count: int) -> Callable[[], None]:
        """Start so many drones of `engine_workers`, of which each that dies is replaced; return what kills one."""
        if "processes" not in self.kind.has:
            drones = MemoryDrones(self.url, lambda die: steady(self.prefix, die), count)
            self._stack.callback(drones.stop)
            return drones.kill_one
        self.process("drone", "engine_workers", "-p", str(count))
        client = self.client()

        def kill_one() -> None:
            mine = [one for one in client.status()["drones"] if f"{self.prefix}.write" in str(one["workers"])]
            os.kill(mine[0]["pid"], signal.SIGKILL)

        return kill_one

    def process(self, *argv: str, folder: Path = HERE / "workers") -> subprocess.Popen[str]:
        """Start ``swarmage …`` in a process of its own; it is ended with the test."""
        environment = {**os.environ, "SWARMAGE_URL": self.url, "ENGINE_PREFIX": self.prefix, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            [sys.executable, "-m", "swarmage", *argv],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._stack.callback(_end, process)
        return process

    def end_test(self) -> None:
        self._stack.close()


def _stop(ref: pykka.ActorRef[Drone]) -> None:
    if ref.is_alive():
        ref.stop()


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def eventually(check: Callable[[], object], seconds: float = SECONDS) -> None:
    """Wait until the check says yes, where nothing tells of it."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not come to be"
        threading.Event().wait(0.05)


@pytest.fixture(scope="session")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[type[Broker], Broker]]:
    """All buses that this machine has, started together."""
    folder = tmp_path_factory.mktemp("engines")
    kinds = [kind for kind in (Memory, Embedded, RabbitMQ, ActiveMQ) if kind.is_there()]
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SWARMAGE_HOME", str(folder / "home"))
        (folder / "home").mkdir(mode=0o700)
        there = {kind: stack.enter_context(_made(kind, folder / kind.__name__.lower())) for kind in kinds}
        for broker in there.values():
            broker.start()
        yield there


def _made(kind: type[Broker], folder: Path) -> Broker:
    return RabbitMQ(folder, lean=True, managed=True) if kind is RabbitMQ else kind(folder, lean=True)


def _able(test: pytest.Item | pytest.FunctionDefinition) -> list[str]:
    """Return the buses that have what a test needs."""
    needs = {need for marker in test.iter_markers("needs") for need in marker.args}
    assert needs <= set().union(*(kind.has for kind in ENGINES.values())), f"nobody has {needs}"
    return [name for name, kind in ENGINES.items() if needs <= kind.has]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try a test on each bus that has what it needs."""
    if "_engine" in metafunc.fixturenames:
        metafunc.parametrize("_engine", _able(metafunc.definition), indirect=True, scope="session")


def need_installed(kind: type[Broker], brokers: Mapping[type[Broker], Broker]) -> Broker:
    """Return a bus; where this machine has none of its kind the test fails or, at home, is skipped."""
    if kind not in brokers:
        missing = f"{kind.__name__} is not installed: apt-get install {kind.package}"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    brokers[kind].wait_until_up()
    return brokers[kind]


@pytest.fixture(scope="session")
def _engine(request: pytest.FixtureRequest, brokers: Mapping[type[Broker], Broker]) -> Engine:
    return Engine(request.param, need_installed(ENGINES[request.param].broker, brokers))


@pytest.fixture
def engines(request: pytest.FixtureRequest, brokers: Mapping[type[Broker], Broker]) -> Iterator[list[Engine]]:
    """All of them at once, for what takes long on each: those that are missing fail or skip the other tests."""
    names = [name for name in _able(request.node) if ENGINES[name].broker in brokers]
    found = [Engine(name, brokers[ENGINES[name].broker]) for name in names]
    for one in found:
        one.broker.wait_until_up()
        one.prefix = f"engine{next(_numbers)}"
    yield found
    with ThreadPoolExecutor(len(found)) as pool:
        list(pool.map(Engine.end_test, found))


def together(engines: Sequence[Engine], check: Callable[[Engine], None]) -> None:
    """Try the same on all of them at the same time; the first that fails is raised."""

    def named(engine: Engine) -> None:
        try:
            check(engine)
        except BaseException as error:
            error.add_note(f"on {engine.name}")
            raise

    with ThreadPoolExecutor(len(engines)) as pool:
        for done in [pool.submit(named, engine) for engine in engines]:
            done.result()


@pytest.fixture
def engine(_engine: Engine) -> Iterator[Engine]:
    _engine.prefix = f"engine{next(_numbers)}"
    yield _engine
    _engine.end_test()
