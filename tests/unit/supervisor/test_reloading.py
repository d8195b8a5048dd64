from __future__ import annotations

import os
import random
import types
from pathlib import Path
from typing import Any

import pytest

from swarmage.errors import ConfigError
from swarmage.supervisor.occupied import occupied
from swarmage.supervisor.protocol import Alone, Ready
from swarmage.supervisor.reloading import Reloading, Watch
from swarmage.supervisor.slot import drone_slots
from swarmage.supervisor.targets import own_files

from ..fakes import FakeClock


def edit(file: Path, text: str) -> None:
    draft = file.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(file)


def test_a_watch_sees_edits_of_every_kind_once(tmp_path: Path) -> None:
    first, second = tmp_path / "a.py", tmp_path / "b.py"
    first.write_text("1")
    watch = Watch()
    watch.add([str(first), str(second)])
    assert watch.changed() == []
    second.write_text("new")
    assert watch.changed() == [str(second)]
    os.utime(first, ns=(1, 1))
    second.unlink()
    assert watch.changed() == [str(first), str(second)]
    assert watch.changed() == []
    stat = first.stat()
    edit(first, "2")
    os.utime(first, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # the same size and time, another file
    assert watch.changed() == [str(first)]


def test_own_files_are_those_that_no_installer_put_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some_own_module.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    __import__("some_own_module")
    files = own_files()
    assert str(tmp_path / "some_own_module.py") in files
    assert not any(file.endswith(("/json/__init__.py", "/pykka/__init__.py")) for file in files)


def test_a_folder_is_for_one_and_the_second_is_told_of_the_first(tmp_path: Path) -> None:
    folder = tmp_path / "bus"
    with (
        occupied(folder, "swarmage up"),
        pytest.raises(ConfigError, match=f"in use by `swarmage up`, pid {os.getpid()};"),
        occupied(folder, "swarmage bus"),
    ):
        pass
    with occupied(folder, "swarmage bus"):
        assert (folder / "pid").read_text() == f"`swarmage bus`, pid {os.getpid()}\n"


def test_a_successor_that_performs_something_alone_is_known_for_it_when_it_takes_its_place(clock: FakeClock) -> None:
    [slot] = drone_slots(["workers"], 1, {}, random.Random(1), reload=True)
    child: Any = types.SimpleNamespace(pid=1)
    slot.successor = child
    watching = Reloading([slot], lambda _: child, clock, 1.0)
    watching.on_report(slot, child, Alone("poison.kill 7"))
    assert slot.blames == ""
    watching.on_report(slot, child, Ready())
    assert (slot.process, slot.successor, slot.blames) == (child, None, "poison.kill 7")
    assert slot.plan_restart(clock.monotonic()).delay == 0.0
