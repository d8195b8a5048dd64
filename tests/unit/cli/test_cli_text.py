from __future__ import annotations

import json
from typing import Any

import pytest

from swarmage.cli.text import ago, as_json, columns, printable

HOSTILE = "a\x1b[2J\x9b31m\r\n\x07\u202eb\x7f"


def test_nothing_that_could_steer_a_terminal_is_printed() -> None:
    assert printable(HOSTILE) == r"a\x1b[2J\x9b31m\r\n\x07\u202eb\x7f"


def test_what_people_write_is_left_alone() -> None:
    assert printable("größe 日本 🐝") == "größe 日本 🐝"


def test_a_text_of_many_lines_keeps_them_when_asked() -> None:
    assert printable("a\nb\x1b", keep="\n") == "a\nb\\x1b"


@pytest.mark.parametrize(
    "value", [HOSTILE, {"a": [1, None, 2.5]}, [HOSTILE, {HOSTILE: True}], "größe", 2**80, "\ud800"]
)
def test_json_is_escaped_and_still_the_same_value(value: Any) -> None:
    text = as_json(value)
    assert text.replace("\n", "").isprintable()
    assert json.loads(text) == value


@pytest.mark.parametrize("value", [{1, 2}, (1, 2), b"bytes", {(1, 2): 3}, object(), 1j])
def test_json_says_something_of_every_value(value: Any) -> None:
    json.loads(as_json(value))


def test_a_value_that_holds_itself_is_shown_too() -> None:
    value: list[Any] = []
    value.append(value)
    assert json.loads(as_json(value)) == "[[...]]"


def test_columns_align_words_left_and_numbers_right() -> None:
    table = columns(("NAME", "COUNT", ""), [["a\x1b", 5, ""], ["long name", 1000, "mark"]])
    assert table.splitlines() == ["NAME       COUNT", "a\\x1b          5", "long name   1000  mark"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (7300, "2 h 1 min"), (90000, "1 d 1 h"), (-5, "0 s")],
)
def test_a_length_of_time_is_told_in_two_units(seconds: float, text: str) -> None:
    assert ago(seconds) == text
