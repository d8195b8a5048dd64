from __future__ import annotations

import uuid
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st

from swarmage.errors import ConfigError
from swarmage.task import MAX_TASK_CLASS, Task, check_task_class

from .seeds import random_inputs

WORD = st.text("abcXYZ019_-", min_size=1, max_size=8)


@random_inputs(st.lists(WORD, min_size=1, max_size=5))
def test_words_joined_by_dots_are_a_task_class(words: list[str]) -> None:
    name = ".".join(words)
    assert check_task_class(name) == name
    assert Task(task_class=name).task_class == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "a.", ".a", "a..b", "a b", "a/b", "a\n", "a:b", "grün", "٣", "a" * (MAX_TASK_CLASS + 1), None, 3, b"a"],
)
def test_what_a_destination_cannot_carry_is_no_task_class(name: Any) -> None:
    for _ in range(2):  # nothing bad is remembered as good
        with pytest.raises(ConfigError, match="task class"):
            Task(task_class=name)


def test_the_longest_task_class_is_accepted() -> None:
    assert Task(task_class="a" * MAX_TASK_CLASS).task_class == "a" * MAX_TASK_CLASS


def test_each_task_has_an_identity_of_its_own() -> None:
    one, other = Task(task_class="a"), Task(task_class="a")
    assert one.id != other.id
    assert str(uuid.UUID(one.id)) == one.id


def test_a_task_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Task(task_class="a").attempt = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("delay", -0.001),
        ("delay", float("nan")),
        ("delay", float("inf")),
        ("delay", 11 * 365 * 86400.0),
        ("priority", -1),
        ("priority", 10),
        ("expires", 0.0),
        ("expires", -1.0),
        ("expires", float("nan")),
        ("retries", -1),
        ("retries", 1.5),
        ("retries", True),
        ("backoff", -0.1),
        ("backoff", float("nan")),
        ("backoff", float("inf")),
        ("deadline", 0.0),
        ("deadline", float("nan")),
        ("deadline", float("inf")),
        ("id", ""),
        ("id", "x" * 201),
        ("args", "abc"),
        ("args", b"abc"),
        ("args", 3),
        ("args", {1, 2}),
        ("args", {"a": 1}),
        ("kwargs", [1]),
        ("kwargs", {1: 2}),
    ],
)
def test_a_wrong_field_is_refused_and_named(field: str, bad: Any) -> None:
    with pytest.raises(ConfigError, match=field):
        Task(**{"task_class": "paint", field: bad})


@pytest.mark.parametrize(
    ("field", "good"),
    [
        ("delay", 0.0),
        ("delay", 10 * 365 * 86400.0),
        ("priority", 0),
        ("priority", 9),
        ("expires", 0.001),
        ("retries", 0),
        ("backoff", 0.0),
        ("deadline", 1_700_000_000),
        ("id", "x" * 200),
        ("args", [1]),
        ("args", (1,)),
        ("args", range(3)),
        ("kwargs", {"a": 1}),
    ],
)
def test_the_ends_of_a_range_are_accepted(field: str, good: Any) -> None:
    assert getattr(Task(**{"task_class": "paint", field: good}), field) == good


def test_a_changed_copy_is_checked_again() -> None:
    with pytest.raises(ConfigError, match="delay"):
        msgspec.structs.replace(Task(task_class="a"), delay=-1.0)


def test_the_body_on_the_wire_holds_only_what_differs_from_the_defaults() -> None:
    assert msgspec.json.encode(Task(task_class="a", id="1")) == b'{"class":"a","id":"1"}'


@pytest.mark.parametrize("field", ["crashes", "retries", "backoff", "deadline"])
def test_a_number_on_the_wire_that_makes_no_sense_is_refused(field: str) -> None:
    with pytest.raises((msgspec.ValidationError, ConfigError), match=field):
        msgspec.json.decode(b'{"class":"a","%b":-1}' % field.encode(), type=Task)
