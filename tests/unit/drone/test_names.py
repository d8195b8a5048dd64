from __future__ import annotations

import pytest

from swarmage.abilities import ability
from swarmage.drone.coroutines.async_worker import AsyncWorker
from swarmage.drone.worker import Worker
from swarmage.errors import AbilityError


@pytest.mark.parametrize("name", ["cancel", "local", "stop", "on_loop", "on_receive", "concurrency"])
def test_an_ability_does_not_take_the_place_of_what_every_worker_has(name: str) -> None:
    with pytest.raises(AbilityError, match=rf"^ability some\.{name}: Wrong\.{name} .* give the method another name"):
        type("Wrong", (Worker,), {name: ability(f"some.{name}")(lambda self: None)})


def test_neither_does_one_of_a_mixin() -> None:
    class Mixin:
        @ability("some.resize")
        async def resize(self) -> None: ...

    with pytest.raises(AbilityError, match=r"Wrong\.resize"):
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
