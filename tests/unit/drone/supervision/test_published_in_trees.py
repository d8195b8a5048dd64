"""Actors that publish themselves and are started again by a Supervisor, on the memory bus."""

from __future__ import annotations

import threading
import time
from queue import SimpleQueue
from typing import Any

import pykka
import pytest

import swarmage
from swarmage import ActorDead, AsyncWorker, Supervisor, Worker, ability
from swarmage.drone.supervision import post
from swarmage.remote.ref import RemoteRef
from swarmage.testing.swarm import Swarm

SECONDS = 30.0

started: SimpleQueue[str] = SimpleQueue()
begun, gate = threading.Event(), threading.Event()


@pytest.fixture(autouse=True)
def fresh() -> None:
    while not started.empty():
        started.get()
    begun.clear()
    gate.clear()


class Mortal:
    """Dies of what it is told."""

    def on_receive(self, message: Any) -> Any:
        if message == "die":
            raise ValueError("told to")
        return message


class Plain(Mortal, pykka.ThreadingActor):
    def on_start(self) -> None:
        swarmage.publish("plain", self.actor_ref)
        started.put("plain")


class Bank(Mortal, Worker):
    def on_start(self) -> None:
        self.publish("bank")
        started.put("bank")

    @ability("bank.hold")
    def hold(self) -> None:
        begun.set()
        gate.wait(SECONDS)


class Desk(Mortal, AsyncWorker):
    async def on_start(self) -> None:
        self.publish("desk")
        started.put("desk")

    @ability("desk.idle")
    async def idle(self) -> None: ...


CHILDREN = {"plain": Plain, "bank": Bank, "desk": Desk}
AGAIN = {
    "one_for_one": lambda name: [name],
    "one_for_all": lambda name: [*CHILDREN],
    "rest_for_one": lambda name: [*CHILDREN][[*CHILDREN].index(name) :],
}


def tree(strategy: str) -> type[Supervisor]:
    return type("Site", (Supervisor,), {"children": [*CHILDREN.values()], "strategy": strategy})


def answer_of(ref: RemoteRef) -> Any:
    """Ask until the next one answers: what the dead one was asked is told to be in doubt."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            return ref.ask("hello", timeout=SECONDS)
        except ActorDead:
            assert time.monotonic() < deadline


@pytest.mark.parametrize("victim", CHILDREN)
@pytest.mark.parametrize("strategy", AGAIN)
def test_a_name_is_answered_again_by_who_takes_the_place(swarm: Swarm, strategy: str, victim: str) -> None:
    swarm.start(tree(strategy))
    assert [started.get(timeout=SECONDS) for _ in CHILDREN] == [*CHILDREN]
    again = AGAIN[strategy](victim)
    for _ in range(2):
        swarm.client.ref(victim).tell("die")
        assert [started.get(timeout=SECONDS) for _ in again] == again
        for name in CHILDREN:
            assert answer_of(swarm.client.ref(name)) == "hello"
    assert started.empty()


def test_who_is_replaced_while_it_hangs_leaves_its_name_to_the_next(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post, "PATIENCE", 0.1)
    swarm.start(tree("one_for_all"))
    assert [started.get(timeout=SECONDS) for _ in CHILDREN] == [*CHILDREN]
    bank = swarm.client.ref("bank")
    assert bank.ask("hello", timeout=SECONDS) == "hello"
    swarm.insert(Bank.hold)
    assert begun.wait(SECONDS)
    waiting = bank.ask("too late", block=False)
    swarm.client.ref("plain").tell("die")
    with pytest.raises(ActorDead):
        waiting.get(timeout=SECONDS)
    assert answer_of(bank) == "hello"
    assert not gate.is_set()
    gate.set()
