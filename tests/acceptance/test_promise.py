"""The promise: a task whose insert returned is run, whatever process is killed and whenever."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Start, Started, drone_pids, eventually, tasks_left, written

from swarmage import Client, SwarmageError, Task

pytestmark = pytest.mark.acceptance

TASKS = 1000


def up(start: Start, client: Client, processes: int) -> Started:
    process = start("up", "ledger", "-p", str(processes))
    process.wait_for_line("^ready")
    eventually(lambda: len(drone_pids(client)) == processes)
    return process


def kill_a_drone(client: Client, rng: random.Random) -> None:
    os.kill(rng.choice(drone_pids(client)), signal.SIGKILL)


def bus_pid(process: Started) -> int:
    return int(process.wait_for_line(r"bus.*started, pid (\d+)")[1])


def test_killing_drones_in_the_middle_of_a_thousand_tasks_loses_none(
    start: Start, client: Client, ledger: Path
) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    up(start, client, 2)
    ids = [reply.id for reply in client.insert_many("ledger.write", [(str(ledger), 0.002)] * TASKS, reply=False)]
    for part in (1, 2, 3):
        eventually(lambda part=part: len(written(ledger)) >= part * TASKS // 5)
        kill_a_drone(client, rng)
        eventually(lambda: len(drone_pids(client)) >= 1)
    eventually(lambda: tasks_left(client) == 0, 60)
    lines = written(ledger)
    assert set(lines) == set(ids)
    again = sum(lines.values()) - len(lines)
    print(f"{again} ran twice")
    assert again <= 3 * 4  # a killed drone had four workers: only what ran and was not yet acknowledged runs again


def test_killing_the_bus_in_the_middle_of_a_thousand_inserts_loses_none_that_returned(
    start: Start, client: Client, ledger: Path
) -> None:
    process = start("up", "ledger", "-p", "1")
    pid = bus_pid(process)
    process.wait_for_line("^ready")
    returned: list[str] = []
    lock = threading.Lock()

    def insert_some(count: int) -> None:
        for _ in range(count):
            task = Task(task_class="ledger.write", args=[str(ledger)])
            try:
                client.insert_task(task, reply=False)
            except SwarmageError:
                continue  # not returned, so nothing was promised
            with lock:
                returned.append(task.id)

    threads = [threading.Thread(target=insert_some, args=(TASKS // 4,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for part in (1, 2):
        eventually(lambda part=part: len(returned) >= part * TASKS // 3)
        os.kill(pid, signal.SIGKILL)
        pid = bus_pid(process)
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert len(returned) == TASKS  # the bus came back in time for all of them
    eventually(lambda: tasks_left(client) == 0, 60)
    assert set(returned) <= set(written(ledger))


def test_a_backlog_survives_the_bus_being_killed_with_nobody_else_there(
    start: Start, client: Client, ledger: Path
) -> None:
    bus = start("bus")
    bus.wait_for_line("^ready")
    ids = {reply.id for reply in client.insert_many("ledger.write", [(str(ledger),)] * TASKS, reply=False)}
    bus.send_signal(signal.SIGKILL)
    assert bus.exit_code() == -signal.SIGKILL
    up(start, client, 1)
    eventually(lambda: set(written(ledger)) == ids, 60)


def test_a_restarted_bus_finds_its_drones_again_within_five_seconds(start: Start, client: Client) -> None:
    process = start("up", "ledger", "-p", "2")
    pid = bus_pid(process)
    process.wait_for_line("^ready")
    eventually(lambda: len(drone_pids(client)) == 2)
    os.kill(pid, signal.SIGKILL)
    bus_pid(process)
    began = time.monotonic()
    eventually(lambda: len(drone_pids(client)) == 2, 10)
    assert time.monotonic() - began < 5


def test_a_task_that_runs_while_the_bus_restarts_is_not_begun_again(start: Start, client: Client, ledger: Path) -> None:
    process = start("up", "ledger", "-p", "1")
    pid = bus_pid(process)
    process.wait_for_line("^ready")
    reply = client.insert("ledger.meet", str(ledger), 2)
    eventually(lambda: sum(written(ledger).values()) == 1)
    os.kill(pid, signal.SIGKILL)
    bus_pid(process)
    eventually(lambda: [q["in_flight"] for q in client.status()["queues"] if q["task_class"] == "ledger.meet"] == [1])
    with ledger.open("a") as file:
        file.write("the other one\n")
    reply.result(20)
    eventually(lambda: tasks_left(client) == 0)
    assert written(ledger) == {reply.id: 1, "the other one": 1}


def test_a_tree_of_local_tasks_is_run_again_whole_when_its_drone_is_killed(
    start: Start, client: Client, ledger: Path
) -> None:
    up(start, client, 2)
    trees, leaves = 40, 25
    replies = client.insert_many("ledger.tree", [(str(ledger), leaves)] * trees)
    eventually(lambda: len(written(ledger)) > trees * leaves // 3)
    kill_a_drone(client, random.Random(1))
    assert [reply.result(60) for reply in replies] == [leaves] * trees
    eventually(lambda: tasks_left(client) == 0)
    lines = written(ledger)
    wanted = {f"{reply.id}/{number}" for reply in replies for number in range(1, leaves + 1)}
    inserted = set(lines) - wanted
    assert wanted <= set(lines)
    assert len(inserted) == trees  # ids of inserts repeat with the step: a repeated tree inserts the same task


def test_inserts_in_doubt_are_repeated_under_the_same_id(start: Start, client: Client, ledger: Path) -> None:
    check_no_twin(
        start, client, ledger, lambda: client.insert_many("ledger.write", [(str(ledger),)] * 3000, reply=False)
    )


def check_no_twin(start: Start, client: Client, ledger: Path, insert: Callable[[], list[object]]) -> None:
    process = start("up", "ledger", "-p", "1")
    pid = bus_pid(process)
    process.wait_for_line("^ready")
    killer = threading.Timer(0.02, os.kill, (pid, signal.SIGKILL))
    killer.start()
    replies = insert()
    killer.join()
    eventually(lambda: tasks_left(client) == 0, 60)
    assert set(written(ledger)) == {reply.id for reply in replies}  # type: ignore[attr-defined]


@pytest.mark.parametrize("warm", [False, True])
def test_no_task_waits_behind_a_busy_worker_while_another_drone_is_idle(
    start: Start, client: Client, ledger: Path, tmp_path: Path, warm: bool
) -> None:
    """Eight tasks that end only together, for two drones of four workers; also right after thousands of short ones."""
    up(start, client, 2)
    if warm:
        client.insert_many("ledger.meet", [(str(ledger), 1)] * 3000, reply=False)
        eventually(lambda: tasks_left(client) == 0, 60)
    replies = client.insert_many("ledger.meet", [(str(tmp_path / "meeting"), 8)] * 8)
    for reply in replies:
        reply.result(60)
