"""What systemd and probes see of real processes; the test is systemd."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import DEADLINE, WORKERS, Home, Start, eventually

pytestmark = pytest.mark.acceptance

BOOT_SECONDS = 2 * DEADLINE
"""A bus and two drones, each in a process of its own, on a machine that others use too."""

QUICK = """
import sys
from swarmage.cli.main import main
from swarmage.supervisor import vigil
from swarmage.supervisor.supervisor import Supervisor

vigil.SILENCE_SECONDS = 5.0
Supervisor.command = (sys.executable, "-c", '''
import sys
from swarmage.supervisor import bus_child, child, drone_child
bus_child.BEAT_SECONDS = drone_child.BEAT_SECONDS = drone_child.LOOK_SECONDS = 0.2
sys.exit(child.main())
''')
main()
"""
"""``swarmage`` that beats five times a second and loses patience after five seconds."""


class Systemd:
    """The end of the socket at which systemd listens."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.settimeout(BOOT_SECONDS)

    def environment(self, home: Home) -> dict[str, str]:
        return {**home.environment, "NOTIFY_SOCKET": str(self.path), "WATCHDOG_USEC": "600000"}

    def wait_for(self, state: str) -> list[str]:
        """Return what was said before this was."""
        before: list[str] = []
        while (said := self.socket.recv(100).decode()) != state:
            before.append(said)
        return before

    def hears_nothing_for(self, seconds: float) -> bool:
        self.socket.settimeout(0.0)
        try:
            while True:  # what was said before
                self.socket.recv(100)
        except BlockingIOError:
            pass
        self.socket.settimeout(seconds)
        try:
            self.socket.recv(100)
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(BOOT_SECONDS)
        return False


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    made = Systemd(tmp_path)
    yield made
    made.socket.close()


def names_in_environment(pid: int) -> set[str]:
    text = Path(f"/proc/{pid}/environ").read_bytes().decode()
    return {each.partition("=")[0] for each in text.split("\0")}


@pytest.mark.parametrize("command", [("bus",), ("up",), ("up", "counters")], ids=" ".join)
def test_a_service_says_when_it_is_ready_lives_and_stops(
    start: Start, systemd: Systemd, home: Home, tmp_path: Path, command: tuple[str, ...]
) -> None:
    file = tmp_path / "alive"
    file.touch()
    os.utime(file, (1, 1))  # an earlier process was killed
    process = start(*command, "--alive-file", str(file), env=systemd.environment(home))
    assert systemd.wait_for("READY=1") == []
    eventually(lambda: file.exists() and file.stat().st_mtime > 1)
    systemd.wait_for("WATCHDOG=1")
    systemd.wait_for("WATCHDOG=1")
    process.wait_for_line("^ready")
    for child in process.children():
        assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC"} & names_in_environment(child)
    process.send_signal(signal.SIGTERM)
    assert set(systemd.wait_for("STOPPING=1")) <= {"WATCHDOG=1"}
    assert process.exit_code() == 0
    assert not file.exists()


def test_one_child_that_hangs_stops_the_signs_of_life_of_all(systemd: Systemd, home: Home, tmp_path: Path) -> None:
    file, log = tmp_path / "alive", tmp_path / "log"
    argv = [sys.executable, "-u", "-c", QUICK, "up", "counters", "-p", "2", "--alive-file", str(file)]
    with log.open("w") as out:
        process = subprocess.Popen(argv, cwd=WORKERS, env=systemd.environment(home), stdout=out, stderr=out)
    hung: list[int] = []
    try:
        systemd.wait_for("READY=1")
        for name in ("drone-2", "bus"):
            lines = log.read_text().splitlines()
            [started] = [line for line in lines if f"{name} started, pid " in line]
            hung.append(int(started.rpartition(" ")[2]))
            os.kill(hung[-1], signal.SIGSTOP)
            eventually(lambda name=name: f"{name} has not been heard of" in log.read_text())  # type: ignore[misc]
            assert systemd.hears_nothing_for(1.0)
            os.utime(file, (1, 1))
            os.kill(hung.pop(), signal.SIGCONT)
            systemd.wait_for("WATCHDOG=1")
            eventually(lambda: file.stat().st_mtime > 1)
        process.send_signal(signal.SIGTERM)
        systemd.wait_for("STOPPING=1")
        assert process.wait(DEADLINE) == 0, log.read_text()
    finally:
        for pid in hung:
            os.kill(pid, signal.SIGCONT)
        process.kill()
        process.wait(DEADLINE)


def test_a_second_bus_that_is_refused_leaves_the_file_of_the_first(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "alive"
    start("bus", "--alive-file", str(file)).wait_for_line("^ready")
    second = start("bus", "--alive-file", str(file))
    assert second.exit_code() == 2
    assert file.exists()


def test_an_alive_file_that_cannot_be_made_is_an_error_of_usage(start: Start, tmp_path: Path) -> None:
    for command in (("bus",), ("up", "counters"), ("drone", "counters")):
        process = start(*command, "--alive-file", str(tmp_path / "nowhere" / "alive"))
        assert process.exit_code() == 2
        assert "nowhere/alive cannot be made: No such file or directory" in process.output
