from __future__ import annotations

import threading
from typing import Any

import pytest

from swarmage.abilities import ability
from swarmage.drone.coroutines.async_worker import AsyncWorker
from swarmage.drone.worker import Worker
from swarmage.errors import AbilityError
from swarmage.testing.swarm import Swarm

SECONDS = 30.0


@pytest.mark.parametrize("name", ["insert", "local", "stop", "on_loop", "on_receive", "concurrency"])
def test_an_ability_does_not_take_the_place_of_what_every_worker_has(name: str) -> None:
    with pytest.raises(AbilityError, match=rf"^ability some\.{name}: Wrong\.{name} .* give the method another name"):
        type("Wrong", (Worker,), {name: ability(f"some.{name}")(lambda self: None)})


def test_neither_does_one_of_a_mixin() -> None:
    class Mixin:
        @ability("some.progress")
        async def progress(self) -> None: ...

    with pytest.raises(AbilityError, match=r"Wrong\.progress"):
        type("Wrong", (Mixin, AsyncWorker), {})


def test_an_ability_may_take_the_place_of_an_inherited_one() -> None:
    class Before(Worker):
        @ability("some.thing")
        def thing(self) -> int:
            return 1

    class After(Before):
        @ability("some.thing")
        def thing(self) -> int:
            return 2

    assert After.abilities["some.thing"] is After.thing


def test_what_is_for_user_code_alone_may_be_replaced() -> None:
    class Mine(Worker):
        @ability("site.publish")
        def publish(self, page: str) -> str:  # type: ignore[override]
            return page

    assert Mine.abilities["site.publish"] is Mine.publish


INWARD = ["abort", "cancel", "give_up", "gone", "leave", "limit", "overrun", "resize", "sweep", "vacate"]


@pytest.mark.parametrize("base", [Worker, AsyncWorker])
def test_plain_words_are_left_to_user_code(base: type[Worker], swarm: Swarm) -> None:
    done = threading.Event()

    def on_start(self: Worker) -> None:
        for name in INWARD:
            setattr(self, name, name)

    def on_stop(self: Worker) -> None:
        done.set()

    async def later(self: Worker, limit: int) -> list[Any]:
        return [limit, *(getattr(self, name) for name in INWARD)]

    def now(self: Worker, limit: int) -> list[Any]:
        return [limit, *(getattr(self, name) for name in INWARD)]

    work = ability("mine.do", timeout=SECONDS)(later if base is AsyncWorker else now)
    mine = type("Mine", (base,), {"on_start": on_start, "on_stop": on_stop, "do": work})
    drone = swarm.start(mine)
    assert swarm.insert("mine.do", 3).result(timeout=SECONDS) == [3, *INWARD]
    swarm.client.concurrency("Mine", 2)
    swarm.client.concurrency("Mine", 1)
    assert swarm.insert("mine.do", 4).result(timeout=SECONDS) == [4, *INWARD]
    drone.stop(timeout=SECONDS)
    assert done.wait(SECONDS)


@pytest.mark.parametrize("name", ["_grow", "_perform", "_end"])
def test_a_method_of_ones_own_does_not_take_the_place_of_what_every_worker_has_for_itself(name: str) -> None:
    with pytest.raises(AbilityError, match=f"Mixin.{name} would take the place of the {name}"):
        type("Light", (type("Mixin", (), {name: lambda self: None}), Worker), {})


def test_a_private_method_with_another_name_is_free() -> None:
    type("Light", (Worker,), {"_mine": lambda self: None, "__init__": lambda self: None})
