"""Whoever is killed, and whenever: a process of a worker, a drone, the supervisor, the bus, or two of them at once.

All three kinds of Worker share the tasks, and the trees go through all three. SWARMAGE_SEED plays a run again: what is
inserted, who is killed, and after how many tasks.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Start, Started, boxes, drone_pids, eventually, forkserver, is_gone, tasks_left, written

from swarmage import Client, Reply, Task, TaskFailed
from swarmage.client.dead_letters import DeadLetters
from tests.unit.seeds import SEED, rng

pytestmark = pytest.mark.acceptance

TASKS = 600
"""As many at least; more, while there is somebody left to kill."""
BATCH = 15
BACKLOG = 150
"""Tasks inserted ahead of what is performed, so that drones always hold some."""
HELD = 10
"""Nobody is killed before drones hold so many: killing the idle shows nothing."""
TREES = ("kinds.tree_in_thread", "kinds.tree_in_process", "kinds.tree_in_coroutine")
SHARES = {"kinds.write": 24, "kinds.flaky": 6, "kinds.talk": 6, "kinds.doomed": 1} | dict.fromkeys(TREES, 1)
LEAVES = 4
LINES = 1 + LEAVES + 2 * (LEAVES + 1) + 1
"""What a tree writes: itself, its leaves, two branches with theirs, and the task that it inserts."""
STRIKES = [
    *(("box",), ("drone",), ("bus",), ("supervisor",), ("box",), ("drone",), ("bus",)),
    *(("box", "drone"), ("bus", "drone"), ("bus", "supervisor"), ("forkserver", "bus")),
]
SECONDS = 60.0


class Inserter(threading.Thread):
    """Inserts all tasks, in batches, while others are performed."""

    def __init__(self, client: Client, ledger: Path, dice: random.Random) -> None:
        super().__init__(daemon=True)
        self._client = client
        self._ledger = ledger
        self._dice = dice
        self._writers = 0  # tasks inserted that write lines
        self.replies: list[Reply[object]] = []
        self.enough = threading.Event()
        self.failed: BaseException | None = None

    def run(self) -> None:
        try:
            while len(self.replies) < TASKS or not self.enough.is_set():
                eventually(lambda: self._writers - len(roots(self._ledger)) < BACKLOG, SECONDS)
                self._insert()
        except Exception as error:  # noqa: BLE001 - the test says so
            self.failed = error

    def _insert(self) -> None:
        asked = self._dice.random() < 0.7
        classes = self._dice.choices(list(SHARES), SHARES.values(), k=BATCH)
        tasks = [Task(task_class=name, args=[] if name == "kinds.doomed" else [str(self._ledger)]) for name in classes]
        self.replies += self._client.insert_many("kinds.write", tasks, reply=asked)
        self._writers += sum(1 for name in classes if lines_of(name))


class Cluster:
    """A bus, and a supervisor with two drones; who is killed is started again where nobody else does it."""

    def __init__(self, start: Start, client: Client, dice: random.Random) -> None:
        self._start = start
        self._client = client
        self._dice = dice
        self._bus = self._start_bus()
        self.supervisor = self._start_drones()
        self.seen: set[int] = set()

    def _start_bus(self) -> Started:
        bus = self._start("bus")
        bus.wait_for_line("^ready")
        return bus

    def _start_drones(self) -> Started:
        return self._start("drone", "kinds", "-p", "2")

    def become_whole(self) -> None:
        """Wait until both drones of the supervisor are there, and no other."""

        def whole() -> bool:
            there = {pid for pid in self.supervisor.children() if not is_gone(pid)}
            return len(there) == 2 and set(drone_pids(self._client)) == there

        eventually(whole)

    def strike(self, victims: tuple[str, ...]) -> int:
        """Kill them; return how many tasks drones held just before."""
        self.become_whole()
        pids = [self._pid_of(who) for who in victims]
        held: list[int] = []
        eventually(lambda: held.append(self._held()) or held[-1] >= HELD)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        if "bus" in victims:
            self._bus = self._start_bus()
        if "supervisor" in victims:
            self.supervisor = self._start_drones()
        return held[-1]

    def _held(self) -> int:
        return sum(queue["in_flight"] for queue in self._client.status()["queues"] if queue["task_class"])

    def _pid_of(self, who: str) -> int:
        drone = self._dice.choice(sorted(drone_pids(self._client)))
        of_drone = {"box": lambda: self._dice.choice(self._boxes(drone)), "forkserver": lambda: forkserver(drone)}
        pids = {"drone": lambda: drone, "bus": lambda: self._bus.pid, "supervisor": lambda: self.supervisor.pid}
        self.seen.update(self._boxes(drone))
        return int((of_drone | pids)[who]())

    def _boxes(self, drone: int) -> list[int]:
        eventually(lambda: boxes(drone))  # one that died is being replaced
        return boxes(drone)


def roots(ledger: Path) -> dict[str, Counter[str]]:
    """Return the lines of each task that was inserted, by its id."""
    found: dict[str, Counter[str]] = {}
    for line, times in written(ledger).items():
        found.setdefault(line.partition("/")[0], Counter())[line] = times
    return found


def lines_of(task_class: str) -> int:
    return LINES if task_class in TREES else 0 if task_class == "kinds.doomed" else 1


def check_answer(reply: Reply[object], left: Callable[[], float]) -> None:
    if reply.task_class == "kinds.doomed":
        with pytest.raises(TaskFailed, match="it always fails"):
            reply.result(left())
        return
    wanted = {"kinds.flaky": True} | dict.fromkeys(TREES, LEAVES + 2)
    assert reply.result(left()) == wanted.get(reply.task_class)
    assert reply.responses == ([0, 1, 2] if reply.task_class == "kinds.talk" else [])


def test_killing_anybody_at_any_time_loses_no_task_no_answer_and_no_tree(
    start: Start, client: Client, ledger: Path
) -> None:
    print(f"SWARMAGE_SEED={SEED}")
    dice = rng()
    cluster = Cluster(start, client, dice)
    inserter = Inserter(client, ledger, random.Random(SEED + 1))
    inserter.start()
    held = 0
    try:
        for victims in dice.sample(STRIKES, len(STRIKES)):
            moment = len(roots(ledger)) + dice.randrange(5, 60)
            eventually(lambda moment=moment: len(roots(ledger)) >= moment or inserter.failed, SECONDS)
            held += cluster.strike(victims)
            print(f"killed {' and '.join(victims)} after {len(roots(ledger))} tasks; held at that, in all: {held}")
    finally:
        inserter.enough.set()
    end = time.monotonic() + SECONDS
    inserter.join(SECONDS)
    assert not inserter.is_alive()
    assert inserter.failed is None
    for reply in inserter.replies:
        if reply.asked:
            check_answer(reply, lambda: end - time.monotonic())
    eventually(lambda: tasks_left(client) == 0, SECONDS)
    performed = roots(ledger)
    assert {reply.id: lines_of(reply.task_class) for reply in inserter.replies if lines_of(reply.task_class)} == {
        root: len(lines) for root, lines in performed.items()
    }
    doomed = {reply.id for reply in inserter.replies if reply.task_class == "kinds.doomed"}
    assert {letter.id for letter in DeadLetters(client).all()} == doomed
    again = sum(max(lines.values()) - 1 for lines in performed.values())
    print(f"{again} of {len(inserter.replies)} tasks and trees were performed again; drones held {held}")
    assert again <= held
    cluster.supervisor.send_signal(signal.SIGTERM)
    assert cluster.supervisor.exit_code() == 0
    eventually(lambda: all(map(is_gone, cluster.seen)))
