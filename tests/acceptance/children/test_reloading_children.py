"""Replacing real children when a source file changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from processes import eventually, is_gone

from swarmage.supervisor import reloading
from tests.unit.supervisor.test_reloading import edit

from .fake_children import Supervise

pytestmark = pytest.mark.acceptance

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


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reloading, "LOOK_SECONDS", 0.05)


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
    eventually(lambda: log_says(" reloaded, pid", 2))
    eventually(lambda: all(is_gone(pid) for pid in before))
    edit(file, "bad")
    eventually(lambda: log_says("is not reloaded, the one of before goes on: bad.py:3"))
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
    eventually(lambda: slot.successor is not None)
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
