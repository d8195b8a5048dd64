from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from swarmage.abilities import Ability, abilities_of, ability
from swarmage.drone.isolation import check_kind
from swarmage.errors import AbilityError, ConfigError

if TYPE_CHECKING:
    from nowhere import Missing  # type: ignore[import-not-found]


class Painter:
    @ability("paint.wall", timeout=60, retries=5, backoff=2.0, longest_backoff=9.0, jitter=0.5)
    def wall(self, colour: str, coats: int = 1, *, where: Path) -> dict[str, int]:
        return {colour: coats}

    def helper(self) -> None:
        pass


def test_read_from_the_class_it_is_the_ability_and_from_an_instance_the_method() -> None:
    assert isinstance(Painter.wall, Ability)
    assert Painter().wall("red", where=Path()) == {"red": 1}


def test_an_ability_knows_what_was_declared() -> None:
    declared = Painter.wall
    assert (declared.task_class, declared.timeout) == ("paint.wall", 60)
    policy = declared.policy
    assert (policy.retries, policy.first, policy.longest, policy.jitter) == (5, 2.0, 9.0, 0.5)


def test_its_parameters_are_those_a_task_must_fit() -> None:
    assert list(Painter.wall.signature.parameters) == ["colour", "coats", "where"]
    assert Painter.wall.hints == {"colour": str, "coats": int, "where": Path, "return": dict[str, int]}


def test_a_plain_function_keeps_all_its_parameters() -> None:
    one = Ability(lambda a, b: a + b, "add", bound=False)
    assert list(one.signature.parameters) == ["a", "b"]
    owner = type("Owner", (), {"add": one})
    assert owner().add(1, 2) == 3


def test_a_builtin_without_a_signature_takes_what_comes() -> None:
    one = Ability(max, "most", bound=False)
    assert one.signature.bind(1, 2, key=3).args == (1, 2)


def test_a_partial_can_be_an_ability() -> None:
    one = Ability(functools.partial(max, 3), "max", bound=False)
    owner = type("Owner", (), {"most": one})
    assert owner().most(5) == 5


def test_an_annotation_may_name_a_class_defined_later() -> None:
    class Early:
        @ability("early")
        def early(self, later: Later) -> None: ...

    assert Early.early.hints["later"] is Later


class Later:
    pass


class Partly:
    @ability("partly")
    def partly(self, count: int, missing: Missing) -> None: ...


def test_an_annotation_that_only_the_type_checker_knows_is_left_out_and_the_others_are_not() -> None:
    assert list(Partly.partly.signature.parameters) == ["count", "missing"]
    assert Partly.partly.hints.get("count") is int


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"task_class": "a b"}, "task class"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": -1}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"retries": -1}, "retries"),
        ({"retries": "many"}, "retries"),
        ({"backoff": -1.0}, "backoff"),
        ({"jitter": 2.0}, "jitter"),
        ({"timeout": "60"}, "timeout"),
        ({"hard_timeout": 0}, "hard_timeout"),
        ({"hard_timeout": 5.0, "timeout": 10.0}, r"hard_timeout must be no less than timeout: 5 < 10"),
        ({"strategy": "quadratic"}, "strategy"),
        ({"retry_on": (int,)}, "retry_on"),
        ({"give_up_on": ValueError}, "give_up_on"),
        ({"give_up_after": -1.0}, "give_up_after"),
        ({"crashes": 0}, "crashes"),
    ],
)
def test_a_wrong_declaration_fails_when_the_class_is_defined(settings: dict[str, Any], says: str) -> None:
    given = {"task_class": "paint", **settings}
    with pytest.raises(AbilityError, match=says) as caught:
        ability(**given)(lambda self: None)
    assert given["task_class"] in str(caught.value)
    assert isinstance(caught.value, ConfigError)


def test_an_ability_knows_whether_it_is_to_be_awaited() -> None:
    class Owner:
        @ability("a")
        async def one(self) -> int:
            return 1

        @ability("b")
        async def other(self) -> AsyncIterator[int]:
            yield 1

    assert Owner.one.awaited
    assert Owner.other.awaited
    assert not Painter.wall.awaited
    assert asyncio.run(Owner().one()) == 1


def test_an_ability_that_its_worker_cannot_perform_is_named_with_what_to_do() -> None:
    async def one() -> None: ...

    check_kind("Owner", Ability(one, "a"), on_loop=True)
    with pytest.raises(AbilityError, match=r"ability a: Owner\.one is async.*make Owner an AsyncWorker"):
        check_kind("Owner", Ability(one, "a"), on_loop=False)
    with pytest.raises(AbilityError, match=r"ability b: Owner\..*max.* is a plain def.*or Owner a Worker"):
        check_kind("Owner", Ability(functools.partial(max, 3), "b"), on_loop=True)


def test_what_cannot_be_called_is_not_an_ability() -> None:
    with pytest.raises(AbilityError, match="cannot be called"):
        Ability(3, "a")  # type: ignore[arg-type]


def test_a_long_backoff_lengthens_the_longest() -> None:
    assert ability("a", backoff=3600.0)(lambda self: None).policy.longest == 3600.0


def test_a_class_has_the_abilities_it_declares_and_inherits() -> None:
    class Master(Painter):
        @ability("paint.ceiling")
        def ceiling(self) -> None: ...

    assert set(abilities_of(Master)) == {"paint.wall", "paint.ceiling"}
    assert set(abilities_of(Painter)) == {"paint.wall"}


def test_a_subclass_replaces_or_drops_an_inherited_ability() -> None:
    class Other(Painter):
        @ability("paint.door")
        def wall(self) -> None: ...  # type: ignore[override]

    class Less(Painter):
        wall = None  # type: ignore[assignment]

    assert set(abilities_of(Other)) == {"paint.door"}
    assert abilities_of(Less) == {}


def test_two_methods_for_one_task_class_are_refused() -> None:
    class Twice(Painter):
        @ability("paint.wall")
        def again(self) -> None: ...

    with pytest.raises(AbilityError, match=r"two methods perform the task class paint\.wall"):
        abilities_of(Twice)


def test_a_wrong_policy_names_the_class_and_the_method() -> None:
    with pytest.raises(AbilityError, match=r"ability paint.*Mason\.wall.*retries must be"):

        class Mason:
            @ability("paint", retries=-1)
            def wall(self) -> None: ...

    with pytest.raises(AbilityError, match=r"ability paint.*Joiner\.door.*hard_timeout"):

        class Joiner:
            @ability("paint", timeout=2, hard_timeout=1)
            def door(self) -> None: ...
