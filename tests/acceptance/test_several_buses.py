"""Two buses at once, each a process of its own, and kill -9 of one after the other while tasks are inserted."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import Home, Run, Start, Started, eventually, free_port, written

from swarmage import Client, Reply

pytestmark = pytest.mark.acceptance

BATCH = 20
AHEAD = 400
"""Tasks that may wait, so that drones of a slow machine keep up."""
WHILE_DOWN = 100
"""Tasks that are to be inserted while one of the buses is away."""
SECONDS = 60.0


class Buses:
    """Two buses of one swarm, each with a folder of its own."""

    def __init__(self, start: Start, home: Home, folder: Path) -> None:
        self._start = start
        self._home = home
        self._folder = folder
        self.urls = [f"stomp://tester:secret@127.0.0.1:{free_port()}" for _ in range(2)]
        self.environment = {**home.environment, "SWARMAGE_URL": " ".join(self.urls)}
        self.processes: list[Started] = [self.start(0), self.start(1)]

    def start(self, number: int) -> Started:
        environment = {**self._home.environment, "SWARMAGE_URL": self.urls[number]}
        process = self._start("bus", "--data", str(self._folder / f"bus-{number}"), env=environment)
        process.wait_for_line("^ready")
        return process

    def kill(self, number: int) -> None:
        os.kill(self.processes[number].pid, signal.SIGKILL)
        self.processes[number].exit_code()

    def come_back(self, number: int) -> None:
        self.processes[number] = self.start(number)


@pytest.fixture
def buses(start: Start, home: Home, tmp_path: Path) -> Buses:
    return Buses(start, home, tmp_path)


@pytest.fixture(params=[False, True], ids=["fails over", "spreads"])
def both(request: pytest.FixtureRequest, buses: Buses, home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setenv("SWARMAGE_HOME", str(home.folder))
    with Client(urls=buses.urls, timeout=20.0, spread=request.param) as client:
        yield client


class Inserter(threading.Thread):
    """Inserts tasks for as long as it is wanted; an insert that raises ends it."""

    def __init__(self, client: Client, ledger: Path) -> None:
        super().__init__(daemon=True)
        self._client = client
        self._ledger = ledger
        self.replies: list[Reply[None]] = []
        self.out_of_reach = 0
        self.enough = threading.Event()
        self.longest = 0.0
        self.failed: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.enough.is_set():
                eventually(lambda: self.waiting() < AHEAD + self.out_of_reach or self.enough.is_set())
                began = time.monotonic()
                self.replies += self._client.insert_many("ledger.write", [(str(self._ledger), 0.005)] * BATCH)
                self.replies.append(self._client.insert("ledger.write", str(self._ledger)))
                self.longest = max(self.longest, time.monotonic() - began)
        except BaseException as error:  # noqa: BLE001 - the test says so
            self.failed = error

    def waiting(self) -> int:
        """Return how many have been inserted and not performed."""
        return len(self.replies) - len(written(self._ledger))

    def wait_for(self, more: int) -> None:
        """Return when so many more tasks have been inserted."""
        wanted = len(self.replies) + more
        eventually(lambda: len(self.replies) >= wanted or self.failed is not None, SECONDS)
        assert self.failed is None


def test_a_bus_that_is_killed_under_load_loses_nothing_and_inserts_go_on(
    buses: Buses, both: Client, start: Start, ledger: Path
) -> None:
    start("drone", "ledger", env=buses.environment).wait_for_line("^ready: ")
    inserter = Inserter(both, ledger)
    inserter.start()
    for number in (0, 1):
        inserter.wait_for(WHILE_DOWN)
        buses.kill(number)
        inserter.out_of_reach = inserter.waiting()  # all of them, perhaps
        inserter.wait_for(WHILE_DOWN)  # by the other one alone
        buses.come_back(number)
        inserter.out_of_reach = 0
    inserter.wait_for(WHILE_DOWN)
    inserter.enough.set()
    inserter.join(SECONDS)
    assert inserter.failed is None
    assert inserter.longest < 2 * 20.0
    for reply in inserter.replies:
        reply.result(SECONDS)
    assert {reply.id for reply in inserter.replies} == set(written(ledger))


def test_the_commands_know_all_buses(buses: Buses, start: Start, run: Run, ledger: Path) -> None:
    def swarmage(*argv: str) -> str:
        done = run(*argv, env=buses.environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    start("drone", "ledger", env=buses.environment).wait_for_line("^ready: ")
    assert swarmage("send", "ledger.write", str(ledger), "--wait") == "null\n"
    found = json.loads(swarmage("status", "--json"))
    assert [each["url"].rpartition(":")[2] for each in found["buses"]] == [url.rpartition(":")[2] for url in buses.urls]
    assert len({drone["bus"] for drone in found["drones"]}) == len({drone["pid"] for drone in found["drones"]}) == 2
    swarmage("pause", "ledger.write")
    assert json.loads(swarmage("status", "--json"))["paused"] == ["ledger.write"]
    buses.kill(0)
    assert "does not answer" in swarmage("status")
    failed = run("resume", "ledger.write", env=buses.environment)
    assert failed.returncode == 3
    assert "it stands on" in failed.stderr
    task = swarmage("send", "ledger.write", str(ledger)).strip()
    eventually(lambda: task in written(ledger))  # resumed where it went
    refused = run("bus", env=buses.environment)
    assert (refused.returncode, "names 2 buses" in refused.stderr) == (2, True)
    refused = run("drone", "counters", env=buses.environment)
    assert (refused.returncode, "cannot be performed on 2 buses" in refused.stderr) == (2, True)
