"""The tests of this folder prove every item of the checklist, and say where the specification asks for it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from .checklist import CHECKLIST


def cited() -> Iterator[tuple[str, str, int]]:
    """Yield test, section and number of every citation."""
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                text = " ".join((ast.get_docstring(node) or "").split())
                for sections, numbers in re.findall(r"STOMP 1\.2, ([^;]*); checklist ([\d, ]+)", text):
                    for number in re.findall(r"\d+", numbers):
                        yield node.name, sections, int(number)


def test_every_item_that_concerns_a_server_is_proved() -> None:
    proved = {number for _, _, number in cited()}
    assert {number for number, item in CHECKLIST.items() if item.server} - proved == set()


def test_a_citation_names_the_section_that_asks_for_it() -> None:
    wrong = [(name, number) for name, sections, number in cited() if f'"{CHECKLIST[number].section}"' not in sections]
    assert wrong == []


def test_the_checklist_is_numbered_from_1_to_50() -> None:
    assert list(CHECKLIST) == list(range(1, 51))
