from __future__ import annotations

import json
import logging
import pickle
import sys
from typing import Any

import pytest

from swarmage.supervisor.logs import JsonLines, TextLines

FORGED = "2026-01-01 00:00:00,000 bus[1] INFO all is well"
NASTY = {
    "line feed": ("a\n" + FORGED, "a\\n" + FORGED),
    "carriage return": ("a\r" + FORGED, "a\\r" + FORGED),
    "colour": ("\x1b[31mred", "\\x1b[31mred"),
    "C1": ("\x9b2J", "\\x9b2J"),
    "bidi": ("\u202etxt.exe", "\\u202etxt.exe"),
    "separator": ("a\u2028b", "a\\u2028b"),
    "half a character": ("\udcff", "\\udcff"),
}


def record(message: str, *args: Any, failed: bool = False) -> logging.LogRecord:
    return logging.LogRecord("x", logging.INFO, "f", 1, message, args, sys.exc_info() if failed else None)


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_what_a_value_holds_stays_within_its_line(text: tuple[str, str]) -> None:
    came, shown = text
    line = TextLines("drone 1").format(record("from the bus: %s", came))
    assert line.endswith(f" INFO from the bus: {shown}")
    assert line.isprintable()


@pytest.mark.parametrize("came", [came for came, _ in NASTY.values()], ids=NASTY)
def test_json_holds_it_in_one_line_of_ascii(came: str) -> None:
    line = JsonLines("drone 1").format(record("%s", came))
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["text"] == came


def test_lines_that_the_program_wants_are_indented() -> None:
    line = TextLines("x").format(record("where it is:\n%s", f"here\n{FORGED}\x1b"))
    assert line.split("INFO ", 1)[1] == f"where it is:\n    here\n    {FORGED}\\x1b"


def fail(text: str) -> None:
    raise ValueError(text)


def test_no_line_of_a_traceback_can_be_taken_for_an_event() -> None:
    try:
        fail(f"so it is\n{FORGED}\x1b[2J")
    except ValueError:
        line = TextLines("x").format(record("it failed", failed=True))
    first, *more = line.split("\n")
    assert first.endswith("INFO it failed")
    assert more[0] == "    Traceback (most recent call last):"
    assert more[-1] == f"    {FORGED}\\x1b[2J"
    assert all(each.startswith("    ") for each in more)


def test_a_process_of_a_worker_can_be_given_the_form() -> None:
    again = pickle.loads(pickle.dumps(TextLines("drone 1")))
    assert " drone 1[" in again.format(record("x"))
