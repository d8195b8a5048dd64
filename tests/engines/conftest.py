from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pykka
import pytest

from benchmarks.brokers import ActiveMQ, Broker, Embedded
from benchmarks.rabbitmq import RabbitMQ
from swarmage import Client, Drone, Worker

ENGINES: Mapping[str, tuple[type[Broker], str]] = {
    "embedded": (Embedded, ""),
    "rabbitmq": (RabbitMQ, ""),
    "rabbitmq-classic": (RabbitMQ, "/classic?queues=classic"),
    "activemq": (ActiveMQ, ""),
}
SECONDS = 30.0
"""How long a test waits for what should come soon, on a busy machine."""
ROOT = Path(__file__).resolve().parents[2]
_numbers = itertools.count(1)


class Engine:
    """A bus, and what a test wants of it.

    Attributes:
        name: which one it is.
        broker: its process.
        url: where it listens.
        prefix: how the task classes of the present test begin.
    """

    def __init__(self, name: str, broker: Broker, end: str) -> None:
        self.name = name
        self.broker = broker
        self.url = broker.address.url + end
        self.prefix = ""
        self._stack = ExitStack()

    def client(self) -> Client:
        return self._stack.enter_context(Client(self.url, timeout=20.0))

    def drone(self, *workers: type[Worker], **settings: Any) -> pykka.ActorRef[Drone]:
        """Start a drone in this process; it is stopped with the test."""
        ref = Drone.start(workers=workers, url=self.url, grace=5.0, **settings)
        self._stack.callback(_stop, ref)
        return ref

    def process(self, *argv: str, folder: Path = Path(__file__).parent / "workers") -> subprocess.Popen[str]:
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
    kinds = [kind for kind in (Embedded, RabbitMQ, ActiveMQ) if kind.is_there()]
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SWARMAGE_HOME", str(folder / "home"))
        (folder / "home").mkdir(mode=0o700)
        there = {kind: stack.enter_context(_made(kind, folder / kind.__name__.lower())) for kind in kinds}
        for broker in there.values():
            broker.start()
        yield there


def _made(kind: type[Broker], folder: Path) -> Broker:
    return RabbitMQ(folder, lean=True, managed=True) if kind is RabbitMQ else kind(folder, lean=True)


@pytest.fixture(scope="session", params=ENGINES)
def _engine(request: pytest.FixtureRequest, brokers: Mapping[type[Broker], Broker]) -> Engine:
    kind, end = ENGINES[request.param]
    if kind not in brokers:
        missing = f"{kind.__name__} is not installed: apt-get install {kind.package}"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    brokers[kind].wait().close()
    return Engine(request.param, brokers[kind], end)


@pytest.fixture
def engines(brokers: Mapping[type[Broker], Broker]) -> Iterator[list[Engine]]:
    """All of them at once, for what takes long on each: those that are missing fail or skip the other tests."""
    found = [Engine(name, brokers[kind], end) for name, (kind, end) in ENGINES.items() if kind in brokers]
    for one in found:
        one.broker.wait().close()
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
