"""Keyed actors beside actors that are published, watched, and started again by a Supervisor."""

from __future__ import annotations

from typing import Any

import pytest

from swarmage import AbilityError, KeyedWorker, TaskFailed, Worker, ability
from swarmage.testing.swarm import Swarm

SECONDS = 30.0


class Echo(Worker):
    def on_start(self) -> None:
        self.publish("echo")

    def on_receive(self, message: Any) -> Any:
        return message

    @ability("echo.idle")
    def idle(self) -> None: ...


class Store(KeyedWorker):
    @ability("store.ask", retries=0)
    def ask(self) -> Any:
        return self.ref("echo").ask(self.key, timeout=SECONDS)

    @ability("store.reach", retries=0)
    def reach(self, what: str) -> None:
        match what:
            case "publish":
                self.publish("store")
            case "watch" | "unwatch":
                getattr(self, what)(None)
            case "stop":
                self.stop()
            case _:
                getattr(self, what)


def test_the_actor_of_a_key_asks_others(swarm: Swarm) -> None:
    swarm.start(Echo, Store)
    assert Store["a"].ask().result(timeout=SECONDS) == "a"


@pytest.mark.parametrize("what", ["publish", "watch", "unwatch", "stop", "actor_ref"])
def test_what_the_actor_of_a_key_has_no_inbox_for_is_told(swarm: Swarm, what: str) -> None:
    swarm.start(Store)
    with pytest.raises(TaskFailed, match=rf"ConfigError: Store\['a'\]\.{what}: the actor of a key has no thread"):
        Store["a"].reach(what).result(timeout=SECONDS)


def test_who_asks_for_the_drones_learns_of_which_kind_a_worker_is(swarm: Swarm) -> None:
    swarm.start(Echo, Store)
    [drone] = swarm.client.status()["drones"]
    assert {worker["name"]: worker.get("kind") for worker in drone["workers"]} == {"Echo": None, "Store": "store"}


def test_it_is_told_of_no_death() -> None:
    with pytest.raises(AbilityError, match=r"Mourning\.on_death would be called .* use a Worker beside it"):
        type(KeyedWorker)("Mourning", (KeyedWorker,), {"__qualname__": "Mourning", "on_death": lambda *_: None})
