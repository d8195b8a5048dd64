"""The house is built as its plan says: swarmage/__init__.py, docs and setup.cfg."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarmage import errors

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "swarmage"
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES = 250


def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_package_docstring_is_a_map_of_the_folders() -> None:
    drawn = re.findall(r"^ +(\w+)/ {2,}\S", docstring(PACKAGE / "__init__.py"), re.MULTILINE)
    there = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == there


def test_the_init_of_a_stage_is_empty() -> None:
    filled = {name_of(path) for path in PACKAGE.rglob("*/__init__.py") if path.read_text(encoding="utf-8").strip()}
    assert filled <= {"swarmage/bus/dialects/__init__.py"}  # the lookup of dialects


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_file_is_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""


@pytest.mark.parametrize("path", [path for path in MODULES if path != PACKAGE / "__init__.py"], ids=name_of)
def test_no_module_imports_the_package_root(path: Path) -> None:
    assert "swarmage" not in imports(path)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_the_clock_asks_the_machine_for_the_time(path: Path) -> None:
    asked = re.findall(r"\b(?:time\.time|datetime\.now|datetime\.utcnow)\b", path.read_text(encoding="utf-8"))
    assert not asked or path.name == "clock.py"


def test_imports_point_one_way() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr


def tree_in_docstring() -> dict[str, str | None]:
    """Return each error in the tree with its parent."""
    parents: dict[str, str | None] = {}
    above: list[str] = []
    for line in inspect.cleandoc(errors.__doc__ or "").splitlines():
        match = re.fullmatch(r"( *)([A-Z]\w+)(?: {2,}\S.*)?", line)
        if match is None:
            continue
        depth = len(match[1]) // 4
        parents[match[2]] = above[depth - 1] if depth else None
        above[depth:] = [match[2]]
    return parents


def test_the_tree_of_errors_is_as_drawn() -> None:
    classes = {
        name: value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception) and value.__module__ == errors.__name__
    }
    real = {
        name: next((base.__name__ for base in value.__bases__ if base.__name__ in classes), None)
        for name, value in classes.items()
    }
    assert tree_in_docstring() == real
    assert [name for name, parent in real.items() if parent is None] == ["SwarmageError"]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_stage_says_where_tasks_come_from_and_go_to(path: Path) -> None:
    places = {module.stem for module in MODULES} | {module.parent.name for module in MODULES}
    places |= {"your program", "the network"}  # outside
    text = " ".join(docstring(path).split())
    assert text.count("From:") == text.count("To:") <= 1
    for place in re.findall(r"\b(?:From|To): ((?:the |your )?\w+)", text):
        assert place in places or place.removeprefix("the ") in places


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("*.py")), ids=name_of)
def test_tests_wait_for_events(path: Path) -> None:
    assert not re.findall(r"\bsleep\(", path.read_text(encoding="utf-8"))


def test_nothing_is_public_without_a_type() -> None:
    assert (PACKAGE / "py.typed").exists()
    ignores = [
        name_of(path) for path in MODULES if re.search(r"#\s*type:\s*ignore(?!\[)", path.read_text(encoding="utf-8"))
    ]
    assert ignores == []
