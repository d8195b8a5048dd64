"""Actors in other processes: asked by name, killed while they are asked, and followed by the next of their name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from processes import DEADLINE, WORKERS, Home, Start, eventually

from swarmage import ActorDead, ActorUnknown, Client
from swarmage.remote.future import RemoteFuture

pytestmark = pytest.mark.acceptance

LIMIT = 5.0
"""Seconds in which it must be told that a process has been killed."""

Program = subprocess.Popen[str]


@pytest.fixture
def client(start: Start, home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    start("bus").wait_for_line("^ready")
    monkeypatch.setenv("SWARMAGE_HOME", str(home.folder))
    with Client(home.url) as client:
        yield client


@pytest.fixture
def program(home: Home) -> Iterator[Callable[[], Program]]:
    """Start a program that publishes an actor ``plain``, and return when it has."""
    started: list[Program] = []

    def program() -> Program:
        argv = [sys.executable, "accounts.py", "plain"]
        started.append(subprocess.Popen(argv, cwd=WORKERS, env=home.environment, stdout=subprocess.PIPE, text=True))
        assert line_of(started[-1]) == "published"
        return started[-1]

    yield program
    for process in started:
        process.kill()
        process.wait(DEADLINE)
        if process.stdout is not None:
            process.stdout.close()


def line_of(process: Program) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def told_dead(future: RemoteFuture) -> float:
    """Return after how many seconds it was told that nobody will answer."""
    began = time.monotonic()
    with pytest.raises(ActorDead, match="may have been done"):
        future.get(timeout=DEADLINE)
    return time.monotonic() - began


def test_a_killed_program_is_told_of_and_its_restart_answers(client: Client, program: Callable[[], Program]) -> None:
    first = program()
    plain = client.ref("plain").proxy()
    assert plain.pid().get(timeout=DEADLINE) == first.pid
    future = plain.hold()
    assert line_of(first) == "holding"
    first.kill()
    assert told_dead(future) < LIMIT
    began = time.monotonic()
    with pytest.raises(ActorUnknown, match="nobody publishes an actor 'plain'"):
        plain.pid().get(timeout=DEADLINE)
    assert time.monotonic() - began < LIMIT
    second = program()
    assert plain.pid().get(timeout=DEADLINE) == second.pid


def test_a_killed_program_is_followed_by_its_stand_by(client: Client, program: Callable[[], Program]) -> None:
    first, second = program(), program()
    plain = client.ref("plain").proxy()
    assert plain.pid().get(timeout=DEADLINE) == first.pid
    future = plain.hold()
    assert line_of(first) == "holding"
    first.kill()
    assert told_dead(future) < LIMIT
    assert plain.pid().get(timeout=DEADLINE) == second.pid


def test_a_worker_whose_drone_is_killed_is_followed_by_that_of_another_drone(client: Client, start: Start) -> None:
    drones = start("drone", "accounts", "-p", "2")
    drones.wait_for_line("^ready")
    accounts = client.ref("accounts").proxy()
    assert [accounts.add(2).get(timeout=DEADLINE) for _ in range(3)] == [2, 4, 6]
    pid = accounts.pid().get(timeout=DEADLINE)
    future = accounts.hold()
    drones.wait_for_line("holding")
    os.kill(pid, signal.SIGKILL)
    assert told_dead(future) < LIMIT
    assert accounts.pid().get(timeout=DEADLINE) != pid
    assert accounts.add(1).get(timeout=DEADLINE) == 1


FORK = """
import os, swarmage
refs = [swarmage.ref("plain"), swarmage.Client().ref("plain")]
before = [ref.proxy().pid().get(timeout=20) for ref in refs]
child = os.fork()
after = [ref.proxy().pid().get(timeout=20) for ref in refs]
if child == 0:
    os._exit(0 if after == before else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), after == before, flush=True)
os._exit(0)
"""


def test_a_forked_process_asks_over_a_connection_of_its_own(
    client: Client, home: Home, program: Callable[[], Program]
) -> None:
    program()
    forking = subprocess.run(
        [sys.executable, "-c", FORK],
        env=home.environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE * 2,
        check=False,
    )
    assert forking.stdout == "0 True\n", forking.stderr


LEAVE = """
import os, swarmage
with swarmage.Client() as client:
    connection = client.connect().connection(0)
    child = os.fork()
    if child:
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        client.insert("nobody.performs")
        print(ended, client.bus.connection(0) is connection, flush=True)
os._exit(0)
"""


def test_a_forked_process_that_closes_a_client_leaves_the_connection_of_its_parent_alone(
    client: Client, home: Home
) -> None:
    argv = [sys.executable, "-c", LEAVE]
    forking = subprocess.run(
        argv, env=home.environment, capture_output=True, text=True, timeout=DEADLINE * 2, check=False
    )
    assert forking.stdout == "0 True\n", forking.stderr


def test_a_restarted_bus_finds_everybody_again(
    client: Client, start: Start, home: Home, program: Callable[[], Program]
) -> None:
    first = program()
    ref = client.ref("plain")
    assert ref.is_alive()
    status = client.status()
    os.kill(status["bus"]["pid"], signal.SIGKILL)
    start("bus").wait_for_line("^ready")
    eventually(ref.is_alive)
    assert ref.proxy().pid().get(timeout=DEADLINE) == first.pid
