"""Keyed actors in drones that are killed, stopped and cut off: each task counts once in what is saved."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest
from processes import DEADLINE, Home, Start, Started, drone_pids, eventually, is_gone

from swarmage import Client, Task
from swarmage.bus.delivery import Delivery
from swarmage.bus.subscription import Subscription
from swarmage.wire.keyed import read_state
from swarmage.wire.names import saved_destination
from swarmage.wire.signing import HEADER

pytestmark = pytest.mark.acceptance
KEYS = [f"key-{number}" for number in range(50)]
EACH = 40
PARTS = 8


@pytest.fixture
def client(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setenv("SWARMAGE_HOME", str(home.folder))
    with Client(home.url) as client:
        yield client


def saved(client: Client, key: str) -> tuple[int, list[int]]:
    """Return the version and the numbers of a key as they stand on the bus."""
    heard: SimpleQueue[Delivery] = SimpleQueue()

    def receive(deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            heard.put(delivery)

    look = Subscription(id=key, destination=saved_destination("counter", key), receive=receive, browser=True)
    client.bus.subscribe(look)
    state = heard.get(timeout=DEADLINE)
    assert heard.get(timeout=DEADLINE).headers["browser"] == "end"
    client.bus.unsubscribe(key)
    version, value = read_state(client.wire, "counter", key, state.body, state.headers[HEADER])
    return version, value["numbers"]


def living(drones: Started) -> list[int]:
    return [pid for pid in drones.children() if not is_gone(pid)]


def test_killed_drones_lose_no_task_and_no_task_counts_twice(start: Start, client: Client, tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    rng = random.Random(seed)
    start("bus").wait_for_line("^ready")
    drones = start("drone", "counters", "-p", "3")
    drones.wait_for_line("^ready")
    tasks = [Task(task_class="counter.count", args=(n, str(tmp_path)), key=key) for key in KEYS for n in range(EACH)]
    rng.shuffle(tasks)
    replies = []
    for part in range(PARTS):
        replies += client.insert_many("counter.count", tasks[part::PARTS])
        rng.choice(replies).result(timeout=DEADLINE)  # at a moment like no other
        eventually(lambda: living(drones))
        os.kill(rng.choice(living(drones)), signal.SIGKILL)
    for reply in replies:
        reply.result(timeout=DEADLINE)
    for key in KEYS:
        version, numbers = saved(client, key)
        assert sorted(numbers) == list(range(EACH)), key
        assert version == EACH  # so no two runs have saved the same one
    assert not (tmp_path / "together").exists()


def test_a_drone_that_was_stopped_and_wakes_changes_nothing_any_more(
    start: Start, client: Client, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    start("bus").wait_for_line("^ready")
    first = start("drone", "counters", "-p", "1")
    first.wait_for_line("^ready")
    held = client.insert_task(Task(task_class="counter.hold", args=(1, str(flag)), key="a"))
    pid = int(first.wait_for_line(r"^holding 1 as (\d+)").group(1))
    for each in (first.pid, pid):  # its supervisor, too, which would kill it
        os.kill(each, signal.SIGSTOP)
    try:
        other = start("drone", "counters", "-p", "1")
        other.wait_for_line("^holding 1 as", timeout=2 * DEADLINE)  # when the bus has missed its heart-beats
        flag.touch()
        assert held.result(timeout=DEADLINE) != pid
        later = client.insert_task(Task(task_class="counter.hold", args=(2, str(flag)), key="a"))
        assert later.result(timeout=DEADLINE) != pid
        assert saved(client, "a") == (2, [1, 2])
    finally:
        for each in (pid, first.pid):
            os.kill(each, signal.SIGCONT)
    first.wait_for_line(f"^counted 1 as {pid}")
    eventually(lambda: len(drone_pids(client)) == 2)  # it is back on the bus, and what it wrote late was dropped
    assert saved(client, "a") == (2, [1, 2])
    last = client.insert_task(Task(task_class="counter.numbers", key="a"))
    assert last.result(timeout=DEADLINE) == [1, 2]
