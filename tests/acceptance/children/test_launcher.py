from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from swarmage.settings import Address
from swarmage.supervisor import child_process
from swarmage.supervisor.child_process import ChildExited, ChildProcess, ChildSaid, Event
from swarmage.supervisor.launcher import Launcher
from swarmage.supervisor.protocol import BusSpec, DroneSpec, Ready

pytestmark = pytest.mark.acceptance

ADDRESS = Address(login="ann", passcode="secret")
BUS = BusSpec(name="bus", data="", ports=())
DRONE = DroneSpec(name="drone-1", targets=(), concurrency={})
READY_UNTIL_EOF = """
import sys
print('{"state":"ready"}', flush=True)
sys.stdin.read()
"""


class Launch:
    """A launcher whose children run a program until their stdin ends."""

    def __init__(self, home: Path, program: str = READY_UNTIL_EOF) -> None:
        self.events: SimpleQueue[Event] = SimpleQueue()
        self.launcher = Launcher([sys.executable, "-I", "-S", "-c", program], home, self.events)
        self.started: list[ChildProcess] = []

    def ready(self, spec: BusSpec | DroneSpec) -> ChildProcess:
        child = self.launcher.launch(spec, ADDRESS)
        self.started.append(child)
        assert self.events.get(timeout=20) == ChildSaid(child, Ready())
        return child


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    made = Launch(tmp_path)
    yield made
    made.launcher.close()
    for child in made.started:
        child.kill()
        child.wait()


def test_the_bus_outlives_its_parent_until_the_last_drone_has_left(launch: Launch) -> None:
    bus, drone = launch.ready(BUS), launch.ready(DRONE)
    launch.launcher.close()  # all that the parent's death would change for the bus
    assert Path(f"/proc/{bus.pid}").exists()
    assert launch.events.empty()
    drone.kill()
    ends = [launch.events.get(timeout=20), launch.events.get(timeout=20)]  # two threads tell of them, in any order
    assert ChildExited(drone, -9) in ends
    assert ChildExited(bus, 0) in ends


def test_no_secret_stands_in_argv(launch: Launch) -> None:
    child = launch.ready(DRONE)
    assert b"secret" not in Path(f"/proc/{child.pid}/cmdline").read_bytes()
    assert b"secret" in Path(f"/proc/{child.pid}/environ").read_bytes()


def test_a_child_is_gone_when_it_has_exited_though_a_process_it_left_keeps_its_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_process, "LAST_WORDS_SECONDS", 0.1)
    launch = Launch(tmp_path, "import os, sys\nif os.fork() == 0:\n    sys.stdin.read()\n")
    child = launch.launcher.launch(DRONE, ADDRESS)
    assert launch.events.get(timeout=20) == ChildExited(child, 0)
    launch.launcher.close()
    child.wait()


def test_closing_twice_is_closing_once(tmp_path: Path) -> None:
    launcher = Launch(tmp_path).launcher
    launcher.close()
    launcher.close()
