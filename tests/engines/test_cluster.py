"""Three nodes of RabbitMQ of which one dies, is cut off or freezes: nothing is lost, work goes on without it."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path

import pykka
import pytest
from cluster import away, cut_off, frozen, killed, leader, whole
from conftest import SECONDS, eventually

from benchmarks.rabbitmq import RabbitMQ
from benchmarks.rabbitmq_cluster import Cluster
from swarmage import Client, Drone, SwarmageError, Worker, ability
from swarmage.client.dead_letters import DeadLetters
from swarmage.wire.names import task_destination

TASK_CLASS = "cluster.mark"
QUEUE = task_destination(TASK_CLASS)
AT_ONCE = 10
MOST_LEFT = 1000
"""Tasks that wait at most: so that it does not take long to see that all have come through."""
GAP = 5.0
"""Seconds within which work goes on, whatever has happened to a node."""
FROZEN_GAP = 8.0
"""The same for a node that has fallen silent: 2 to 4 s, and more where the machine does much else."""
RETURN_SECONDS = 60.0


class Traffic:
    """Inserts and drains that go on whatever happens: on each node a client and a drone.

    Attributes:
        receipted: the numbers whose insert has returned.
        done: number, drone and time of each task that was performed.
        refused: inserts that raised, of whose tasks nothing is known.
    """

    def __init__(self, cluster: Cluster, patch: pytest.MonkeyPatch) -> None:
        self.receipted: list[int] = []
        self.done: list[tuple[int, int, float]] = []
        self.refused: list[SwarmageError] = []
        self._url = cluster.address.url
        self._ended = threading.Event()
        self._numbers = itertools.count(0, AT_ONCE)
        self._spreads = 0
        self._patch = patch
        machines = range(len(cluster.nodes))
        self._drones = [self._drone(machine) for machine in machines]
        self._inserting = [threading.Thread(target=self._insert, args=(machine,)) for machine in machines]

    def __enter__(self) -> Traffic:
        with Client(self._url, timeout=20.0) as client:
            client.insert_many(TASK_CLASS, [(-1,)], reply=False)
        threading.Event().wait(1.5)  # docs/engines.md: a quorum queue must be older than a second to survive kill -9
        for thread in self._inserting:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        for drone in self._drones:
            drone.stop()

    def end(self) -> None:
        """Insert no more."""
        self._ended.set()
        for thread in self._inserting:
            thread.join(SECONDS)

    def _drone(self, machine: int) -> pykka.ActorRef[Drone]:
        """Start a drone that begins with this machine instead of one at random."""
        done = self.done

        class Marker(Worker):
            concurrency = 4

            @ability(TASK_CLASS)
            def mark(self, number: int) -> None:
                done.append((number, machine, time.monotonic()))

        with self._patch.context() as here:
            here.setattr("swarmage.bus.bus.random.randrange", lambda stop: machine)
            return Drone.start(workers=[Marker], url=self._url, grace=5.0)

    def spread(self) -> None:
        """Have a drone and a client on each node again."""
        self._spreads += 1
        for machine, drone in enumerate(self._drones):
            drone.stop()
            self._drones[machine] = self._drone(machine)

    def _insert(self, machine: int) -> None:
        while not self._ended.is_set():
            spread = self._spreads
            with Client(self._url, timeout=20.0) as client:
                client.bus._machine = machine
                while spread == self._spreads and not self._ended.is_set():
                    self._insert_some(client)

    def _insert_some(self, client: Client) -> None:
        number = next(self._numbers)
        numbers = range(number, number + AT_ONCE)
        try:
            client.insert_many(TASK_CLASS, numbers, reply=False)
        except SwarmageError as error:
            self.refused.append(error)
        else:
            self.receipted += numbers
        while len(self.receipted) - len(self.done) > MOST_LEFT and not self._ended.wait(0.01):
            pass

    def goes_on(self) -> None:
        """Wait until each drone has performed something and something was inserted from now on."""
        began, inserted = time.monotonic(), len(self.receipted)
        everybody = set(range(len(self._drones)))
        eventually(lambda: {drone for _, drone, when in self.done[-2000:] if when > began} == everybody)
        eventually(lambda: len(self.receipted) > inserted)

    def gap(self, began: float, ended: float) -> float:
        """Return the longest time without a finished task between two moments."""
        stamps = [began, *(when for _, _, when in self.done if began < when < ended), ended]
        return max(later - earlier for earlier, later in pairwise(stamps))


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    if not Cluster.is_there():
        missing = f"RabbitMQ is not installed: apt-get install {Cluster.package}"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    (tmp_path / "home").mkdir(mode=0o700)
    monkeypatch.setenv("SWARMAGE_HOME", str(tmp_path / "home"))
    with Cluster(tmp_path / "nodes") as started:
        started.start()
        started.wait().close()
        eventually(lambda: whole(started))
        yield started


class Faults:
    """One fault after the other, each of which ends before the next begins.

    Attributes:
        told: what came of each.
    """

    def __init__(self, cluster: Cluster, traffic: Traffic) -> None:
        self.told: list[str] = []
        self._cluster = cluster
        self._traffic = traffic

    @property
    def leader(self) -> RabbitMQ:
        return leader(self._cluster, QUEUE)

    @property
    def follower(self) -> RabbitMQ:
        leading = self.leader
        return next(node for node in self._cluster.nodes if node is not leading)

    def see(self, name: str, node: RabbitMQ, fault: AbstractContextManager[None], most: float) -> None:
        """See that work goes on without this node, that it comes back, and how long nothing was done."""
        self._traffic.spread()
        self._traffic.goes_on()
        began = time.monotonic()
        with fault:
            eventually(lambda: away(self._cluster, node))
            self._traffic.goes_on()
        node.wait().close()
        eventually(lambda: whole(self._cluster), RETURN_SECONDS)
        self._traffic.goes_on()
        ended = time.monotonic()
        gap = self._traffic.gap(began, ended)
        self.told.append(f"{name}: no task was finished for {gap:.1f} s, all was as before after {ended - began:.0f} s")
        assert gap < most, self.told


def test_nothing_is_lost_and_work_goes_on_when_nodes_die_or_are_cut_off_or_freeze(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Traffic(cluster, monkeypatch) as traffic:
        faults = Faults(cluster, traffic)
        faults.see("leader killed", node := faults.leader, killed(node), GAP)
        faults.see("another killed", node := faults.follower, killed(node), GAP)
        faults.see("leader cut off", node := faults.leader, cut_off(cluster, node), GAP)
        faults.see("leader frozen", node := faults.leader, frozen(node), FROZEN_GAP)
        traffic.end()
        eventually(lambda: set(traffic.receipted) <= {number for number, _, _ in traffic.done}, RETURN_SECONDS)
        performed = Counter(number for number, _, _ in traffic.done)
        with Client(cluster.address.url, timeout=20.0) as client:
            assert DeadLetters(client).all() == []
    with capsys.disabled():
        print("", *faults.told, sep="\n  ")
        print(
            f"  {len(traffic.receipted)} inserted, {len(traffic.refused)} times an insert raised,"
            f" {performed.total() - len(performed)} duplicates"
        )
