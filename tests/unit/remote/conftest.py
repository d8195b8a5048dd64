"""Actors on the memory bus, who publishes them, and who asks: each on a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any, NamedTuple

import pykka
import pytest

from swarmage.client.client import Client
from swarmage.remote import pulse
from swarmage.remote.publishing import Publication
from swarmage.remote.ref import RemoteRef
from swarmage.testing.swarm import Swarm

from ..fakes import SECONDS


class Deposit(NamedTuple):
    """A message of a class of its own: what pykka's users match on."""

    amount: int


class Inside:
    """What a proxy may look into."""

    depth = 7

    def double(self, number: int) -> int:
        return number * 2


class Accounts(pykka.ThreadingActor):
    """Does what tests ask of an actor."""

    use_daemon_thread = True

    def __init__(self, name: str = "one") -> None:
        super().__init__()
        self.name = name
        self.total = 0
        self.inside = pykka.traversable(Inside())
        self.hidden = Inside()
        self.heard: SimpleQueue[Any] = SimpleQueue()
        self.begun = threading.Event()
        self.gate = threading.Event()
        self._secret = "never"

    @property
    def doubled(self) -> int:
        return self.total * 2

    def add(self, amount: int, *, times: int = 1) -> int:
        self.total += amount * times
        return self.total

    def fail(self, text: str) -> None:
        raise ValueError(text)

    def hold(self) -> str:
        self.begun.set()
        assert self.gate.wait(SECONDS * 6)
        return "held"

    def give(self, what: str) -> Any:
        return {"lock": threading.Lock(), "pair": (1, 2), "large": "x" * 5_000_000}.get(what)

    def on_receive(self, message: Any) -> Any:
        self.heard.put(message)
        match message:
            case Deposit(amount):
                return Deposit(self.add(amount))
            case "leave":
                self.stop()
            case "fail":
                raise ValueError("on_receive")
        return message


class Shown(NamedTuple):
    """An actor that is published, and what its test may look at."""

    ref: pykka.ActorRef[Accounts]
    actor: Accounts
    publication: Publication
    client: Client


Publish = Callable[..., Shown]


@pytest.fixture
def publish(swarm: Swarm) -> Iterator[Publish]:
    """Publish an actor over a connection of its own, which `lose` can take away."""
    shown: list[Shown] = []

    def publish(name: str = "accounts", label: str = "one") -> Shown:
        client = Client(swarm.url, clock=swarm.clock)
        ref = Accounts.start(label)
        actor = ref._actor_weakref()
        assert actor is not None
        shown.append(Shown(ref, actor, client.remote.publish(name, ref), client))
        return shown[-1]

    yield publish
    for each in shown:
        each.actor.gate.set()
        each.ref.stop(block=False)
        each.client.close()


def lose(shown: Shown) -> None:
    """Have the publisher vanish without a word, as after kill -9."""
    shown.client.bus.abandon()
    shown.client.bus.stop(goodbye=False)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ping more often, where a test waits until somebody has been given up."""
    monkeypatch.setattr(pulse, "INTERVAL", 0.4)


@pytest.fixture
def accounts(publish: Publish) -> Shown:
    return publish()


@pytest.fixture
def ref(swarm: Swarm) -> RemoteRef:
    """Ask over the swarm's own client."""
    return swarm.client.ref("accounts")
