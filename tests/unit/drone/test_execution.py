from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from swarmage.abilities import Ability
from swarmage.drone.execution import Arguments, execute, failure_of, outcome_of
from swarmage.errors import Discard, NotEncodable, Reject, Retry, TaskFailed, TreeTooLarge
from swarmage.outcome import Discarded, Failed, Failure, Rejected, Succeeded
from swarmage.task import Task
from swarmage.wire.envelope import Wire

from ..fakes import KEY, FakeClock

WIRE = Wire(KEY, FakeClock())


@dataclass
class Point:
    x: int
    y: int = 0


def perform(function: Callable[..., Any], *args: Any, local: bool = False, **kwargs: Any) -> Any:
    """Perform a task as it arrives: its arguments have been on the wire."""
    task = Task(task_class="a", args=args, kwargs=kwargs)
    if not local:
        message = WIRE.task(task)
        task = WIRE.read_task(message.destination, message.body, message.signature)
    return execute(task, Arguments(Ability(function, "a", bound=False)), function, local=local)


def untyped(a, b=2, *, c=3):  # type: ignore[no-untyped-def]
    return a, b, c


def typed(path: Path, day: date, points: list[Point], size: int | None = None) -> Any:
    return path, day, points, size


def many(first: int, *rest: Path, option: Path = Path("none"), **others: date) -> Any:
    return first, rest, option, others


def named(a: int, /, b: int, *, c: int) -> Any:
    return a, b, c


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "expected"),
    [
        (untyped, (1,), {}, (1, 2, 3)),
        (untyped, (1, 5), {}, (1, 5, 3)),
        (untyped, (1,), {"b": 7, "c": 8}, (1, 7, 8)),
        (untyped, (), {"a": [1]}, ([1], 2, 3)),
        (
            typed,
            (Path("/a"), date(2024, 2, 29), [Point(1), Point(2, 3)]),
            {},
            (Path("/a"), date(2024, 2, 29), [Point(1), Point(2, 3)], None),
        ),
        (typed, (Path("/a"), date(2024, 2, 29), []), {"size": 3}, (Path("/a"), date(2024, 2, 29), [], 3)),
        (many, (1, Path("b"), Path("c")), {}, (1, (Path("b"), Path("c")), Path("none"), {})),
        (
            many,
            (1,),
            {"option": Path("x"), "day": date(2024, 1, 1)},
            (1, (), Path("x"), {"day": date(2024, 1, 1)}),
        ),
        (named, (1,), {"b": 2, "c": 3}, (1, 2, 3)),
        (named, (1, 2), {"c": 3}, (1, 2, 3)),
        (lambda: "none", (), {}, "none"),
        (lambda *args, **kwargs: (args, kwargs), (1, [2]), {"a": {"b": 3}}, ((1, [2]), {"a": {"b": 3}})),
    ],
)
@pytest.mark.parametrize("local", [False, True])
def test_arguments_come_as_the_ability_wants_them(
    function: Callable[..., Any], args: Any, kwargs: Any, expected: Any, local: bool
) -> None:
    assert perform(function, *args, local=local, **kwargs) == Succeeded(expected)


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "says"),
    [
        (untyped, (), {}, "'a'"),
        (untyped, (1, 2, 3), {}, "too many"),
        (untyped, (1,), {"d": 4}, "'d'"),
        (untyped, (1,), {"a": 1}, "'a'"),
        (named, (1, 2), {}, "'c'"),
        (named, (), {"a": 1, "b": 2, "c": 3}, "'a'"),
    ],
)
@pytest.mark.parametrize("local", [False, True])
def test_arguments_that_fit_no_parameter_are_rejected_and_named(
    function: Callable[..., Any], args: Any, kwargs: Any, says: str, local: bool
) -> None:
    outcome = perform(function, *args, local=local, **kwargs)
    assert isinstance(outcome, Rejected)
    assert outcome.reason == "arguments"
    assert says in outcome.failure.message
    assert "the parameters are (" in outcome.failure.message


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "says"),
    [
        (typed, ("/a", "not a day", []), {}, "argument day"),
        (typed, (3, "2024-01-01", []), {}, "argument path"),
        (typed, ("/a", "2024-01-01", [{"x": "one"}]), {}, "argument points"),
        (typed, ("/a", "2024-01-01", []), {"size": "big"}, "argument size"),
        (many, (1, "a", 3), {}, "argument rest"),
        (many, (1,), {"day": "never"}, "argument day"),
        (named, (True,), {"b": 1.5, "c": 1}, "argument"),
    ],
)
def test_arguments_of_another_type_are_rejected_and_named(
    function: Callable[..., Any], args: Any, kwargs: Any, says: str
) -> None:
    outcome = perform(function, *args, **kwargs)
    assert isinstance(outcome, Rejected)
    assert outcome.reason == "arguments"
    assert outcome.failure.message.startswith(f"a: {says}")


def test_the_arguments_of_a_local_task_are_the_very_objects() -> None:
    given = [1]
    assert perform(lambda value: value is given, given, local=True) == Succeeded(True)


def test_pickled_arguments_come_as_the_senders_objects() -> None:
    def check(number: float, values: set[int]) -> bool:
        return math.isnan(number) and type(values) is set

    assert perform(check, math.nan, {1}) == Succeeded(True)
    outcome = perform(check, math.nan)
    assert isinstance(outcome, Rejected)
    assert "'values'" in outcome.failure.message


class Refusing:
    def __reduce__(self) -> Any:
        return _refuse, ()


def _refuse() -> None:
    raise SystemExit(3)


class Leaving(BaseException):
    pass


@dataclass
class Picky:
    size: int

    def __post_init__(self) -> None:
        raise LookupError("no such size")


def picky(value: Picky) -> Any:
    return value


def test_a_pickle_that_would_end_the_process_is_rejected() -> None:
    outcome = perform(untyped, Refusing())
    assert isinstance(outcome, Rejected)
    assert outcome.reason == "arguments"


def test_an_argument_whose_class_refuses_it_is_rejected() -> None:
    task = Task(task_class="a", args=({"size": 3},))
    outcome = execute(task, Arguments(Ability(picky, "a", bound=False)), picky, local=False)
    assert isinstance(outcome, Rejected)
    assert "no such size" in outcome.failure.message


@pytest.mark.parametrize(
    "error",
    [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, Leaving],
    ids=lambda error: error.__name__,
)
@pytest.mark.parametrize("local", [False, True])
def test_whatever_a_task_raises_is_an_outcome(error: type[BaseException], local: bool) -> None:
    def fail() -> None:
        raise error("boo")

    outcome = perform(fail, local=local)
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind == error.__name__
    assert outcome.failure.message == "boo"
    assert "in fail" in outcome.failure.traceback
    assert "in execute" not in outcome.failure.traceback


def test_what_cannot_be_passed_on_is_not_tried_again() -> None:
    def fail() -> None:
        raise NotEncodable("too large")

    outcome = perform(fail)
    assert isinstance(outcome, Rejected)
    assert outcome.failure.message == "too large"


class Mute(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


class Fatal(Exception):
    def __str__(self) -> str:
        raise SystemExit(9)


@pytest.mark.parametrize(("kind", "why"), [(Mute, "ValueError"), (Fatal, "SystemExit")])
def test_an_error_without_words_is_an_outcome_all_the_same(kind: type[Exception], why: str) -> None:
    def fail() -> None:
        raise kind

    outcome = perform(fail)
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind == kind.__name__
    assert why in outcome.failure.message


def test_an_error_that_was_never_raised_can_be_told() -> None:
    failure = failure_of(ValueError("boo"))
    assert (failure.kind, failure.message) == ("ValueError", "boo")
    assert "boo" in failure.traceback


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ConnectionResetError("gone"), Failed(Failure("ConnectionResetError", "gone"), ConnectionResetError)),
        (Retry(2.5, "busy"), Failed(Failure("Retry", "busy"), Retry, 2.5)),
        (Reject("no such page"), Rejected("no such page", Failure("Reject", "no such page"))),
        (Discard("too late"), Discarded(Failure("Discard", "too late"))),
        (TreeTooLarge("so many"), Rejected("failed", Failure("TreeTooLarge", "so many"))),
    ],
)
def test_what_a_task_raises_says_how_it_ends(error: BaseException, outcome: Any) -> None:
    found: Any = outcome_of(error)
    assert dataclasses.replace(found, failure=dataclasses.replace(found.failure, traceback="")) == outcome


def test_a_task_that_lets_the_failure_of_a_local_one_through_ends_as_that_did() -> None:
    error = TaskFailed("Discard", "too late")
    error.ending = Discarded(Failure("Discard", "too late"))
    assert outcome_of(error) is error.ending
