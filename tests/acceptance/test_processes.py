"""Workers in processes of their own, in real drones: whoever is killed, no task is lost and no process is left."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
from processes import Start, Started, boxes, drone_pids, eventually, forkserver, is_gone, tasks_left, written

from swarmage import Client

pytestmark = pytest.mark.acceptance

TASKS = 600


def up(start: Start, client: Client, processes: int) -> Started:
    process = start("up", "boxes", "-p", str(processes))
    process.wait_for_line("^ready")
    eventually(lambda: len(drone_pids(client)) == processes)
    return process


def kill_somebody(client: Client, rng: random.Random, who: str) -> None:
    drone = rng.choice(drone_pids(client))
    victims = {"drone": [drone], "forkserver": [forkserver(drone)], "box": boxes(drone)}[who]
    try:
        os.kill(rng.choice(victims), signal.SIGKILL)
    except (ProcessLookupError, IndexError):  # it was just being replaced
        return


def test_killing_processes_and_drones_under_load_loses_nothing_and_leaves_nobody(
    start: Start, client: Client, ledger: Path
) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    process = up(start, client, 2)
    trees, leaves = 20, 6
    ids = [reply.id for reply in client.insert_many("boxes.write", [(str(ledger), 0.005)] * TASKS, reply=False)]
    replies = client.insert_many("boxes.tree", [(str(ledger), leaves)] * trees)
    seen: set[int] = set()
    for part, who in enumerate(("box", "drone", "box", "forkserver", "box", "box"), 1):
        eventually(lambda part=part: len(written(ledger)) >= part * TASKS // 8)
        eventually(lambda: len(drone_pids(client)) == 2)
        for drone in drone_pids(client):
            seen.update(boxes(drone))
        kill_somebody(client, rng, who)
    assert [reply.result(60) for reply in replies] == [leaves] * trees
    eventually(lambda: tasks_left(client) == 0, 60)
    lines = set(written(ledger))
    of_trees = {f"{reply.id}/{number}" for reply in replies for number in range(1, leaves + 1)}
    assert lines >= set(ids) | of_trees
    assert len(lines - set(ids) - of_trees) == trees  # the tasks they inserted, each under one id
    process.send_signal(signal.SIGTERM)
    assert process.exit_code() == 0
    eventually(lambda: all(map(is_gone, seen)))


@pytest.mark.parametrize("what", ["spin", "grip", "idle"])
def test_no_process_outlives_its_drone(start: Start, client: Client, what: str) -> None:
    process = up(start, client, 1)
    [drone] = drone_pids(client)
    pids = boxes(drone)
    assert len(pids) == 2
    if what != "idle":
        client.insert_many(f"boxes.{what}", [()], reply=False)
        process.wait_for_line(f"^{what[:3]}")
    server = forkserver(drone)
    os.kill(drone, signal.SIGKILL)
    killed = time.monotonic()
    eventually(lambda: all(map(is_gone, [*pids, server])), 5)
    assert time.monotonic() - killed < 1.0


def test_no_process_outlives_its_forkserver_and_the_next_one_makes_others(start: Start, client: Client) -> None:
    process = up(start, client, 1)
    [drone] = drone_pids(client)
    client.insert_many("boxes.grip", [()], reply=False)
    process.wait_for_line("^gripping")
    pids = boxes(drone)
    os.kill(forkserver(drone), signal.SIGKILL)
    eventually(lambda: all(map(is_gone, pids)), 5)
    eventually(lambda: not set(pids) & set(boxes(drone)) and boxes(drone))
    process.wait_for_line("^gripping")  # the task that was lost with them


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_whole_group_lets_the_running_task_finish(
    start: Start, client: Client, fifo: Path, number: int
) -> None:
    process = up(start, client, 1)
    [drone] = drone_pids(client)
    pids = boxes(drone)
    reply = client.insert("boxes.hold", str(fifo))
    process.wait_for_line("^holding")
    for pid in (process.pid, *pids):
        os.kill(pid, number)
    process.wait_for_line("draining")
    fifo.write_text("go on")
    assert reply.result(20) in pids
    assert process.exit_code() == 0
    assert all(map(is_gone, pids))
    assert process.output.count("Traceback") == 0
