"""A declared tree in real drone processes: what it cannot mend ends its process, and no task is lost meanwhile."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import DEADLINE, WORKERS, Home, Start, drone_pids, eventually, is_gone, tasks_left, written

from swarmage import Client

pytestmark = pytest.mark.acceptance

TASKS = 300


@pytest.fixture
def closed(tmp_path: Path, home: Home) -> Path:
    """The file that keeps the connections from starting while it is there."""
    home.environment["ESTATE_CLOSED"] = str(tmp_path / "closed")
    return tmp_path / "closed"


@pytest.fixture
def client(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setenv("SWARMAGE_HOME", str(home.folder))
    with Client(home.url, timeout=20.0) as client:
        yield client


def test_what_a_tree_cannot_mend_ends_its_process_and_no_task_is_lost(
    start: Start, client: Client, closed: Path, tmp_path: Path
) -> None:
    start("bus").wait_for_line("^ready")
    process = start("drone", "estate:Site", "-p", "2")
    process.wait_for_line("^ready")
    before = set(drone_pids(client))
    assert len(before) == 2
    ledger = tmp_path / "ledger"
    ids = [reply.id for reply in client.insert_many("estate.write", [(str(ledger), 0.02)] * TASKS, reply=False)]
    eventually(lambda: len(written(ledger)) >= 20)
    closed.touch()
    disturbed = client.insert("estate.disturb").result(DEADLINE)
    process.wait_for_line("Site/Office: actor Connections has died of AttributeError")
    process.wait_for_line("Site/Office: actor Connections cannot start: ConnectionRefusedError: the database is closed")
    process.wait_for_line("Site: supervisor Site/Office: more than 2 restarts in 60 s")
    name = process.wait_for_line(
        r"(drone-\d) exited with 1: supervisor Site: more than 1 restarts in 60 s,"
        " the last one since supervisor Site/Office: more than 2 restarts in 60 s, the last one since"
        " actor Connections cannot start: ConnectionRefusedError: the database is closed; starts again in"
    )[1]
    assert is_gone(disturbed)
    closed.unlink()
    process.wait_for_line(f"{name} ready")
    eventually(lambda: len(drone_pids(client)) == 2)
    assert len(before & set(drone_pids(client))) == 1  # the other one was not disturbed
    eventually(lambda: tasks_left(client) == 0, 60)
    lines = written(ledger)
    assert set(lines) == set(ids)
    again = sum(lines.values()) - len(lines)
    print(f"{again} ran twice")
    assert again == 0  # what was begun was finished, in its time


def test_a_tree_runs_with_a_bus_of_its_own(start: Start, client: Client, closed: Path, tmp_path: Path) -> None:
    start("up", "estate:Site", "-p", "2").wait_for_line("^ready")
    reply = client.insert("estate.write", str(tmp_path / "ledger"), 0.0)
    assert reply.result(DEADLINE) is None
    assert list(written(tmp_path / "ledger")) == [reply.id]


def test_a_tree_launches_itself(start: Start, client: Client, closed: Path, home: Home) -> None:
    start("bus").wait_for_line("^ready")
    command = [sys.executable, "-u", "estate.py"]
    site = subprocess.Popen(
        command, cwd=WORKERS, env=home.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        eventually(lambda: len(drone_pids(client)) == 1)
        [drone] = client.status()["drones"]
        assert {worker["supervisor"] for worker in drone["workers"]} == {"Site/Office"}
        assert client.insert("estate.disturb").result(DEADLINE) == drone["pid"]
        site.send_signal(signal.SIGTERM)
        assert site.wait(DEADLINE) == 0
        assert is_gone(drone["pid"])
    finally:
        site.kill()  # should it still run: its drone leaves when it is gone
        print(site.communicate()[0])
