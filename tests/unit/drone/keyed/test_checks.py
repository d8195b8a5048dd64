"""What a KeyedWorker must be, and where it can be performed."""

from __future__ import annotations

from typing import Any

import pytest

from swarmage import AbilityError, ConfigError, KeyedWorker, Worker, ability
from swarmage.bus.dialects.embedded import EmbeddedDialect
from swarmage.drone.keyed.checks import check_kinds, check_number
from swarmage.testing.swarm import Swarm


@ability("thing.do")
def do(self: Any) -> None: ...


@ability("other.do")
def other(self: Any) -> None: ...


@ability("plain")
def plain(self: Any) -> None: ...


async def later(self: Any) -> None: ...


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"__init__": lambda self: None}, r"Thing\.__init__ would be called once for each thread .* use on_load"),
        ({"on_start": lambda self: None}, r"Thing\.on_start .* use on_load"),
        ({"on_stop": lambda self: None}, r"Thing\.on_stop .* use on_save"),
        ({"isolation": "process"}, r"Thing\.isolation must be 'thread'"),
        ({"idle": 0}, r"Thing\.idle must be more than 0 seconds, not 0"),
        ({"idle": "long"}, r"Thing\.idle must be more than 0 seconds, not 'long'"),
        ({"most_keys": 0}, r"Thing\.most_keys must be a whole number, 1 or more, not 0"),
        ({"other": other}, r"the task classes of a KeyedWorker are its kind and one more word .*other\.do, thing\.do"),
        ({"do": plain}, r"the task classes of a KeyedWorker are its kind and one more word .*these are plain"),
        ({"later": ability("thing.later")(later)}, r"Thing\.later is async"),
    ],
)
def test_a_class_that_makes_no_sense_is_refused_when_it_is_defined(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(AbilityError, match=said):
        type(KeyedWorker)("Thing", (KeyedWorker,), {"__qualname__": "Thing", "do": do, **fields})


def test_a_base_without_abilities_may_be_defined() -> None:
    class Base(KeyedWorker):
        idle = 5

    class Thing(Base):
        @ability("thing.do")
        def do(self) -> None: ...

    assert (Base.kind, Thing.kind, Thing.idle) == ("", "thing", 5)


class Thing(KeyedWorker):
    @ability("thing.do")
    def do(self) -> None: ...


class Twin(KeyedWorker):
    @ability("thing.other")
    def other(self) -> None: ...


class Plain(Worker):
    @ability("thing")
    def do(self) -> None: ...


class Rival(Worker):
    @ability("thing.do")
    def do(self) -> None: ...


def test_a_drone_has_one_class_of_a_kind(swarm: Swarm) -> None:
    with pytest.raises(ConfigError, match="Thing and Twin are both of the kind 'thing'"):
        swarm.start(Thing, Twin)


@pytest.mark.parametrize("rival", [Plain, Rival])
def test_a_plain_worker_may_not_perform_what_belongs_to_keys(rival: type[Worker]) -> None:
    with pytest.raises(ConfigError, match=rf"{rival.__name__} performs thing.* the KeyedWorker Thing"):
        check_kinds([rival, Thing])


def test_a_bus_that_cannot_keep_keys_is_refused_at_the_start(swarm: Swarm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EmbeddedDialect, "keeps_keys", False)
    with pytest.raises(ConfigError, match=r"embedded.* has no message groups, values, .* a KeyedWorker needs"):
        swarm.start(Thing)
    swarm.start(Rival)


def test_any_worker_may_have_a_kind_of_its_own(swarm: Swarm) -> None:
    class First(Worker):
        kind = "crawler"

        @ability("first.do")
        def do(self) -> str:
            return self.kind

    class Second(First):
        @ability("second.do")
        def other(self) -> None: ...

    swarm.start(First, Second, Thing)
    assert swarm.insert(First.do).result(timeout=10) == "crawler"


@pytest.mark.parametrize("name", ["key", "state", "idle"])
def test_an_ability_does_not_take_the_place_of_what_an_actor_has(name: str) -> None:
    with pytest.raises(AbilityError, match=rf"Light\.{name} would take the place of the {name} that"):
        type(KeyedWorker)(
            "Light", (KeyedWorker,), {"__qualname__": "Light", name: ability(f"light.{name}")(do.function)}
        )


def test_a_kind_is_performed_on_one_bus() -> None:
    keyed = type("Thing", (KeyedWorker,), {"do": do})
    plain_worker = type("Plain", (Worker,), {"plain": plain})
    check_number([keyed, plain_worker], 1)
    check_number([plain_worker], 2)
    with pytest.raises(ConfigError, match="KeyedWorker Thing cannot be performed on 2 buses"):
        check_number([plain_worker, keyed], 2)
