from __future__ import annotations

import os
import random
import threading
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
from .fake_children import Supervise, is_gone

RELOADS = """
import os
text = open({file!r}).read()
if text == "bad":
    say(state="failed", error="TargetError", message="bad.py:3")
    sys.exit(1)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
say(state="ready", task_classes=[f"{{text}} pid={{os.getpid()}}"], files=[{file!r}] if spec["reload"] else [])
stay()
"""


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


def test_an_edit_replaces_drones_and_a_bad_one_keeps_those_of_before(
    supervise: Supervise, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    file = tmp_path / "module.py"
    file.write_text("one")
    running = supervise(RELOADS.format(file=str(file)), processes=2, reload=True)
    running.line("^ready")
    before = [slot.process.pid for slot in running.supervisor._drones if slot.process]

    def log_says(text: str, times: int = 1) -> bool:
        return sum(text in record.getMessage() for record in caplog.records) >= times

    edit(file, "two")
    _eventually(lambda: log_says(" reloaded, pid", 2))
    _eventually(lambda: all(is_gone(pid) for pid in before))
    edit(file, "bad")
    _eventually(lambda: log_says("is not reloaded, the one of before goes on: bad.py:3"))
    after = [slot.process.pid for slot in running.supervisor._drones if slot.process]
    assert len(after) == 2
    assert not any(map(is_gone, after))
    running.supervisor.stop()
    assert running.end() == 0
    assert all(map(is_gone, after))


def test_a_stop_during_a_reload_leaves_no_process(supervise: Supervise, tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("one")
    hangs = RELOADS.replace('if text == "bad":', 'if text == "slow":\n    stay()\nif text == "bad":')
    running = supervise(hangs.format(file=str(file)), reload=True)
    running.line("^ready")
    edit(file, "slow")
    [slot] = running.supervisor._drones
    _eventually(lambda: slot.successor is not None)
    pids = [process.pid for process in slot.processes]
    assert len(pids) == 2
    running.supervisor.stop()
    assert running.end() == 0
    assert all(map(is_gone, pids))


def test_without_reload_nothing_is_watched(supervise: Supervise, tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("one")
    running = supervise(RELOADS.format(file=str(file)))
    running.line("^ready")
    assert running.supervisor._reloading.look_at is None


DRAINS = """
ready()
say(state="drained")
sys.exit(0)
"""


def test_a_drained_drone_is_not_replaced_and_when_all_are_the_supervisor_ends(supervise: Supervise) -> None:
    running = supervise(DRAINS, processes=2)
    assert running.end() == 0


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


def _eventually(check: Any) -> None:
    pause = threading.Event()
    for _ in range(1000):
        if check():
            return
        pause.wait(0.02)
    raise AssertionError("it did not come to be")


def test_a_successor_that_performs_something_alone_is_known_for_it_when_it_takes_its_place(clock: FakeClock) -> None:
    [slot] = drone_slots(["workers"], 1, {}, random.Random(1), reload=True)
    child: Any = types.SimpleNamespace(pid=1)
    slot.successor = child
    reloading = Reloading([slot], lambda _: child, clock, 1.0)
    reloading.on_report(slot, child, Alone("poison.kill 7"))
    assert slot.blames == ""
    reloading.on_report(slot, child, Ready())
    assert (slot.process, slot.successor, slot.blames) == (child, None, "poison.kill 7")
    assert slot.plan_restart(clock.monotonic()).delay == 0.0
