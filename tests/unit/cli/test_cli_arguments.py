from __future__ import annotations

from typing import Any

import pytest

from swarmage.cli.arguments import parse_arguments, parse_concurrency
from swarmage.errors import ConfigError


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1", 1),
        ("-2.5", -2.5),
        ("true", True),
        ("null", None),
        ('{"a": [1]}', {"a": [1]}),
        ('"1"', "1"),
        ("README.md", "README.md"),
        ("", ""),
        ("{broken", "{broken"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("[" * 100_000, "[" * 100_000),
        ("http://host/?a=b", "http://host/?a=b"),
        ('"a=b"', "a=b"),
        ("=b", "=b"),
        ("1=2", "1=2"),
    ],
)
def test_a_word_is_json_or_else_a_string(word: str, value: Any) -> None:
    assert parse_arguments([word]) == ([value], {})


@pytest.mark.parametrize(
    ("word", "kwargs"),
    [("a=1", {"a": 1}), ("path=x=y", {"path": "x=y"}), ("empty=", {"empty": ""}), ("größe=[2]", {"größe": [2]})],
)
def test_a_word_that_begins_with_an_identifier_and_an_equals_sign_is_named(word: str, kwargs: dict[str, Any]) -> None:
    assert parse_arguments([word]) == ([], kwargs)


def test_an_argument_named_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="the argument a is given twice"):
        parse_arguments(["a=1", "a=2"])


def test_concurrency_is_read_by_class_name() -> None:
    assert parse_concurrency(["Census=4", "Count=1"]) == {"Census": 4, "Count": 1}


@pytest.mark.parametrize("setting", ["Census", "Census=", "Census=0", "Census=-1", "Census=x", "=4", "a b=4"])
def test_a_concurrency_that_is_something_else_is_refused(setting: str) -> None:
    with pytest.raises(ConfigError, match="CLASS=N"):
        parse_concurrency([setting])
