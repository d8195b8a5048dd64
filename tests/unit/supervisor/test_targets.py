from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarmage.abilities import ability
from swarmage.errors import ConfigError, TargetError
from swarmage.supervisor.targets import load_workers, target_of

HEAD = f"from swarmage.abilities import ability\nfrom {__name__} import Base\n"


class Base:
    """Stands for swarmage.Worker."""

    @ability("base.never")
    def never(self) -> None: ...


def worker(name: str, task_class: str = "some.thing") -> str:
    return f"""
class {name}(Base):
    @ability("{task_class}")
    def some(self): ...
    never = None
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A current directory whose modules are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


def write(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def names(*targets: str) -> list[str]:
    return [found.__name__ for found in load_workers(targets, Base)]


def error_of(*targets: str) -> str:
    with pytest.raises(TargetError) as caught:
        load_workers(targets, Base)
    return str(caught.value)


def test_a_module_gives_the_workers_it_defines_but_not_those_it_imports(project: Path) -> None:
    write(project / "basis.py", HEAD + worker("Basis"))
    write(project / "mine.py", HEAD + "from basis import Basis\nclass Idle(Base):\n    never = None\n" + worker("Mine"))
    assert names("mine") == ["Mine"]


def test_a_package_gives_the_workers_of_all_its_submodules(project: Path) -> None:
    write(project / "pack/__init__.py", "from pack.one import One")
    write(project / "pack/one.py", HEAD + worker("One"))
    write(project / "pack/deep/__init__.py")
    write(project / "pack/deep/two.py", HEAD + worker("Two"))
    write(project / "pack/__main__.py", "raise SystemExit('a program ran')")
    assert sorted(names("pack")) == ["One", "Two"]


def test_a_folder_without_init_is_a_package_too(project: Path) -> None:
    write(project / "loose/one.py", HEAD + worker("One"))
    assert names("loose") == ["One"]


@pytest.mark.parametrize("target", ["pack/one.py", "./pack/one.py", "pack/", "pack/one.py:One", "pack.one:One"])
def test_paths_and_named_classes_are_targets(project: Path, target: str) -> None:
    write(project / "pack/__init__.py")
    write(project / "pack/one.py", HEAD + worker("One"))
    assert names(target) == ["One"]


def test_a_path_outside_the_current_directory_keeps_its_package_name(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project / "away/pack/__init__.py")
    write(project / "away/pack/one.py", HEAD + worker("One"))
    (project / "here").mkdir()
    monkeypatch.chdir(project / "here")
    assert [found.__module__ for found in load_workers(["../away/pack/one.py"], Base)] == ["pack.one"]


def test_a_class_named_outright_may_be_imported_from_elsewhere(project: Path) -> None:
    write(project / "basis.py", HEAD + worker("Basis"))
    write(project / "mine.py", "from basis import Basis")
    assert names("mine:Basis") == ["Basis"]


def test_a_worker_named_twice_is_taken_once(project: Path) -> None:
    write(project / "mine.py", HEAD + worker("Mine"))
    assert names("mine", "mine.py", "mine:Mine") == ["Mine"]


@pytest.mark.parametrize("target", ["missing", "missing.deep", "missing:Class"])
def test_a_module_that_is_not_there_is_named_with_the_place_looked_in(project: Path, target: str) -> None:
    assert error_of(target) == f"{target}: No module named 'missing' (looked in {project})"


def test_a_submodule_that_is_not_there_is_named(project: Path) -> None:
    write(project / "pack/__init__.py")
    assert error_of("pack.txt") == f"pack.txt: No module named 'pack.txt' (looked in {project})"


def test_a_path_that_is_not_there_is_named(project: Path) -> None:
    assert error_of("pack/one.py").startswith("pack/one.py: there is no such file")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("\n1 / 0", "ZeroDivisionError: division by zero (pack/one.py:2)"),
        ("import not_there", "ModuleNotFoundError: No module named 'not_there' (pack/one.py:1)"),
        ("\n\nraise SystemExit(3)", "SystemExit: 3 (pack/one.py:3)"),
        ("import json\njson.loads('{')", "(pack/one.py:2)"),
        ("def (:", "SyntaxError: invalid syntax (pack/one.py:1)"),
        (HEAD + "class A(Base):\n    @ability('no good')\n    def a(self): ...", "(pack/one.py:4)"),
    ],
)
def test_an_error_inside_a_target_says_what_and_where(project: Path, text: str, reason: str) -> None:
    write(project / "pack/__init__.py")
    write(project / "pack/one.py", text)
    message = error_of("pack")
    assert message.startswith("pack: cannot be imported: ")
    assert reason in message


def test_two_methods_with_one_task_class_are_an_error_of_the_target(project: Path) -> None:
    write(project / "mine.py", HEAD + worker("Mine") + "    @ability('some.thing')\n    def more(self): ...\n")
    assert error_of("mine").startswith("mine: Mine: two methods")


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("mine", "has no Workers"),
        ("mine:Nobody", "the module mine has no Nobody"),
        ("mine:number", "number is not a subclass of swarmage.Worker"),
        ("mine:Idle", "Idle has no method under @ability"),
        ("no-module", "is neither the name of a module nor a path to one"),
        ("", "is neither"),
    ],
)
def test_a_target_without_workers_says_so(project: Path, target: str, reason: str) -> None:
    write(project / "mine.py", HEAD + "number = 1\nclass Idle(Base):\n    never = None\n")
    assert error_of(target).startswith(f"{target}: {reason}")


def test_a_path_whose_name_is_that_of_another_module_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "time.py").write_text("")
    with pytest.raises(TargetError, match=r"time\.py: its name, time, belongs to"):
        load_workers(["time.py"], object)


# trees


def test_a_tree_is_found_by_its_name_and_among_the_workers_of_its_module(project: Path) -> None:
    write(project / "base.py", "class Tree:\n    children = ()\n")
    head = HEAD + "from base import Tree\n"
    write(project / "mine.py", head + worker("Mine") + "class Site(Tree):\n    children = (Mine,)\n")
    tree = importlib.import_module("base").Tree
    assert [found.__name__ for found in load_workers(["mine:Site"], Base, tree)] == ["Site"]
    assert [found.__name__ for found in load_workers(["mine.py"], Base, tree)] == ["Mine", "Site"]
    with pytest.raises(TargetError, match="base:Tree: Tree declares no children"):
        load_workers(["base:Tree"], Base, tree)


def test_a_tree_knows_where_others_find_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = "    class Inner:\n        children = (int,)\n"
    write(project / "estate.py", f"class Site:\n    children = (int,)\n{inner}class Bare:\n    children = ()\n")
    estate = importlib.import_module("estate")
    assert target_of(estate.Site) == ["estate:Site"]
    assert target_of(estate.Bare) == []
    with pytest.raises(ConfigError, match=r"Site.Inner must stand at the top of a module"):
        target_of(estate.Site.Inner)
    monkeypatch.setitem(sys.modules, "__main__", estate)
    monkeypatch.setattr(estate.Site, "__module__", "__main__")
    assert target_of(estate.Site) == ["estate:Site"]  # started with python -m
    monkeypatch.setattr(estate, "__spec__", None)
    assert target_of(estate.Site) == [f"{project}/estate.py:Site"]
    monkeypatch.delattr(estate, "__file__")
    with pytest.raises(ConfigError, match="Site must stand in a file"):
        target_of(estate.Site)
