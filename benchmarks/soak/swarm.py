"""Who takes part in a soak: a bus, a supervisor with two drones, a client, and where there are faults a proxy."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import Any, Self

import psutil

from benchmarks.soak.heard import Listener
from benchmarks.soak.judging import Limit
from swarmage.bench.swarm import Swarm, free_ports
from swarmage.client.client import Client
from swarmage.testing.fault_proxy import FaultProxy

DRONES = 2
WORKERS = "benchmarks.soak.workers"
END_SECONDS = 90.0
_LOOK_SECONDS = 0.1
_MEGABYTE = 1e6

LIMITS = {
    "memory": Limit(per_hour=8.0, floor=4.0, unit="MB"),
    "threads": Limit(per_hour=2.0, floor=3.0, unit="threads"),
    "files": Limit(per_hour=2.0, floor=4.0, unit="open files"),
    "store": Limit(per_hour=32.0, floor=16.0, unit="MB"),
    "p99": Limit(per_hour=20.0, floor=50.0, unit="ms"),
}
"""By how much each may grow in a process, in the bus's folder, and in the wait from an insert to its begin."""


class Soaked:
    """A swarm under a steady load; with ``with`` all of it is ended.

    Attributes:
        swarm: the bus and the supervisor.
        supervisor: its process.
        listener: what hears of the tasks.
        proxy: between the bus and all others, where there are faults.
        client: who inserts; None before.
    """

    def __init__(self, *, faults: bool) -> None:
        self._stack = ExitStack()
        self.swarm = self._stack.enter_context(Swarm(free_ports(1)[0]))
        self.listener = self._stack.enter_context(Listener(self.swarm.home))
        self.proxy = FaultProxy(self.swarm.address.url) if faults else None
        self.client: subprocess.Popen[str] | None = None
        self.supervisor = psutil.Process()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.client is not None and self.client.poll() is None:
            self.client.kill()
            self.client.wait()
        self._stack.close()

    def _start(self) -> None:
        self.swarm.start_bus()
        if self.proxy is not None:
            self._stack.enter_context(self.proxy)
            os.environ["SWARMAGE_URL"] = self.proxy.url  # the swarm takes it back when it ends
        self.supervisor = psutil.Process(self.swarm.start_drone((WORKERS,), DRONES).pid)
        with Client() as client:
            self.swarm.wait_for_drones(client, DRONES)

    def offer(self, rate: float) -> None:
        """Begin to insert tasks, so many in a second."""
        self.client = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.soak.client", str(rate)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def end_offer(self) -> dict[str, Any]:
        """Insert no more; return what the client says when all replies are there.

        Raises:
            RuntimeError: it ended in failure.
        """
        assert self.client is not None
        said, _ = self.client.communicate(timeout=END_SECONDS)
        if self.client.returncode:
            raise RuntimeError(f"the client ended with {self.client.returncode}")
        found: dict[str, Any] = json.loads(said)
        return found

    def drones(self) -> list[psutil.Process]:
        """Return the drones, the oldest first."""
        return sorted(self.supervisor.children(), key=lambda drone: (drone.create_time(), drone.pid))

    def check(self) -> None:
        """Raise what has ended that should not have.

        Raises:
            SwarmageError: the bus or the supervisor ended in failure.
            RuntimeError: the client ended.
        """
        self.swarm.check()
        if self.client is not None and self.client.poll() is not None:
            raise RuntimeError(f"the client ended with {self.client.returncode}")

    def watched(self) -> dict[str, psutil.Process]:
        """Return the processes whose figures must not grow; faults spare the oldest drone."""
        assert self.swarm.bus is not None
        assert self.client is not None
        drones = self.drones()[: 1 if self.proxy is not None else DRONES]
        return {
            "bus": psutil.Process(self.swarm.bus.pid),
            "supervisor": self.supervisor,
            **{f"drone {number}": drone for number, drone in enumerate(drones, 1)},
            "client": psutil.Process(self.client.pid),
        }

    def figures(self) -> dict[str, float]:
        """Return one figure of each series."""
        found = {}
        for name, process in self.watched().items():
            found[f"{name}: memory"] = process.memory_info().rss / _MEGABYTE
            found[f"{name}: threads"] = float(process.num_threads())
            found[f"{name}: files"] = float(process.num_fds())
        found["bus: store"] = self._stored() / _MEGABYTE
        waits = sorted(self.listener.waits())
        if waits:
            found["wait: p99"] = 1000 * waits[int(0.99 * (len(waits) - 1))]
        return found

    def _stored(self) -> int:
        stored = 0
        for path in (self.swarm.home / "bus").rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                stored += path.stat().st_size
        return stored

    def drain(self, count: int) -> None:
        """Return when so many tasks are done, or nothing is done any more."""
        before, deadline = -1, time.monotonic() + END_SECONDS
        while (now := self.listener.performed()) < count and time.monotonic() < deadline:
            if now != before:
                before, deadline = now, time.monotonic() + END_SECONDS
            time.sleep(_LOOK_SECONDS)
