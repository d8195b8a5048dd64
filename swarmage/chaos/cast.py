"""Who takes part in a run: a bus, two supervisors with their drones, and an originator; who is struck is replaced."""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from swarmage.bus.bus import Bus
from swarmage.chaos.ledger import LEDGER_VARIABLE
from swarmage.chaos.originator import Script, environment
from swarmage.chaos.processes import Process, children, descendants, end_all, marked, strike
from swarmage.chaos.skewed import CLOCK_VARIABLE
from swarmage.chaos.small_disk import SmallDisk
from swarmage.settings import Address
from swarmage.testing.fault_proxy import FaultProxy

CELLS = 2
"""Supervisors, as if they were on machines of their own."""
DRONES = 1
"""Drones that each of them keeps alive."""
END_SECONDS = 10.0
CONNECT_SECONDS = 5.0
_KEPT = ("SWARMAGE_CA_FILE", "SWARMAGE_KEY_FILE")
"""What of this program's own settings the others need on a bus that is not theirs."""
_READY = re.compile(r"\[(\d+)\] INFO drone \S+ performs ")
_TARGET = "swarmage.chaos.workers"
_KEYED_TARGET = "swarmage.chaos.keyed_workers"
_ILL_TARGET = "swarmage.chaos.ill_workers"
_OLD_TARGET = "swarmage.chaos.old_workers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What the faults of a run need.

    Attributes:
        ill: Workers whose tasks are ill.
        network: a proxy before the bus.
        disk: a small disk for the bus.
        clock: clocks that can be set.
    """

    ill: bool = False
    network: bool = False
    disk: bool = False
    clock: bool = False


class Cast:
    """The processes of one run.

    Attributes:
        folder: where all they write is.
        script: what the originator goes by.
        own_bus: whether the bus is started for the run.
        bus: its process, None where the bus is somebody else's.
        supervisors: each with its drones.
        originator: who inserts.
        proxy: what stands before the bus, where there are faults of the network.
        data: the folder in which the bus keeps its messages.
    """

    def __init__(self, folder: Path, script: Script, url: str | None, needs: Needs) -> None:
        self.folder = folder
        self.ledger = folder / "ledger"
        self.script = script
        self.own_bus = url is None
        self.bus: Process | None = None
        self.supervisors: list[Process] = []
        self.originator: Process | None = None
        self._url = url or _address()
        self.proxy = FaultProxy(self._url) if needs.network else None
        self._home = folder / "home"
        self.data = self._home / "bus"
        self._disk = SmallDisk(self.data) if needs.disk else None
        self._clock = needs.clock
        self._others: list[Process] = []
        self._targets = [
            _TARGET,
            *([_KEYED_TARGET] if script.keyed else []),
            *([_ILL_TARGET] if needs.ill else []),
        ]

    def start(self) -> None:
        """Prepare what they need, and start the bus and the supervisors.

        Raises:
            BusError: the bus is somebody else's, and does not let us in.
            ConfigError: there can be no small disk.
        """
        if not self.own_bus:
            self._try_bus()
        self._home.mkdir(mode=0o700)
        if self._disk is not None:
            self._disk.mount()
        if self.proxy is not None:
            self.proxy.start()
        self.start_bus()
        self.start_supervisors()

    def _try_bus(self) -> None:
        bus = Bus(Address.parse(self._url))
        try:
            bus.start(CONNECT_SECONDS)
        finally:
            bus.stop()

    def start_bus(self) -> None:
        """Start the bus, if it is ours to start and does not run."""
        if self.own_bus and (self.bus is None or not self.bus.running):
            self.bus = self._swarmage("bus", "bus", url=self._url)

    @property
    def bus_gave_up(self) -> bool:
        """Whether the bus is ours and has ended by itself, with an error."""
        return self.bus is not None and (self.bus.wait(0.0) or 0) > 0

    def start_supervisors(self) -> None:
        """Start the supervisors that are missing."""
        for number in range(CELLS):
            if number == len(self.supervisors):
                self.supervisors.append(self.start_supervisor(number))
            elif not self.supervisors[number].running:
                self.supervisors[number] = self.start_supervisor(number)

    def start_supervisor(self, number: int) -> Process:
        """Start one supervisor with its drones, whatever runs in its place."""
        if number < len(self.supervisors):
            self._others.append(self.supervisors[number])
        return self._swarmage(f"drones-{number + 1}", "drone", *self._targets, "-p", str(DRONES))

    def start_old_drones(self) -> Process:
        """Start a supervisor with drones of an older version."""
        self._others.append(self._swarmage("old-drones", "drone", _OLD_TARGET))
        return self._others[-1]

    def start_originator(self, first: int) -> Process:
        """Start an originator that goes on with a task."""
        command = ["swarmage.chaos.originator", str(first)]
        self.originator = self._python("originator", command, environment(self.script), orders=True)
        return self.originator

    def clock_of(self, name: str) -> Path:
        """Return the file that sets somebody's clock."""
        return self.folder / f"{name}.clock"

    def drones(self) -> list[int]:
        """Return the pids of the drones whose supervisors run."""
        return [pid for supervisor in self.supervisors if supervisor.running for pid in children(supervisor.pid)]

    def is_whole(self) -> bool:
        """Say whether everybody runs, and each drone takes tasks."""
        if self.bus is not None and not self.bus.running:
            return False
        drones = self.drones()
        ready: set[int] = set()
        for number in range(CELLS):
            text = (self.folder / f"drones-{number + 1}.log").read_text(errors="replace")
            ready.update(int(pid) for pid in _READY.findall(text))
        return len(drones) == CELLS * DRONES and ready.issuperset(drones)

    def boxes(self) -> list[int]:
        """Return the pids of the processes of workers."""
        return [box for drone in self.drones() for server in children(drone) for box in children(server)]

    def with_descendants(self, pid: int) -> list[int]:
        """Return a process and all below it."""
        return [pid, *descendants(pid)]

    def kill_everybody(self) -> None:
        """Kill all processes of the run, orphans among them; this one stays."""
        for pid in marked(self.ledger):
            strike(pid, signal.SIGKILL)
        for process in self._processes():
            process.kill()

    def end(self) -> list[int]:
        """End all that was started; return what could not be ended."""
        for process in self._processes():
            process.kill()
        left = end_all(self.ledger, END_SECONDS)
        if self.proxy is not None:
            self.proxy.stop()
        if self._disk is not None:
            self._disk.unmount()
        return left

    def _processes(self) -> list[Process]:
        return self.supervisors + self._others + [each for each in (self.bus, self.originator) if each is not None]

    def _swarmage(self, name: str, *words: str, url: str | None = None) -> Process:
        return self._python(name, ["swarmage", *words], url=url)

    def _python(
        self,
        name: str,
        command: list[str],
        extra: Mapping[str, str] | None = None,
        *,
        url: str | None = None,
        orders: bool = False,
    ) -> Process:
        there = self._url if self.proxy is None else self.proxy.url
        environment = {
            **{name: value for name, value in os.environ.items() if name in _KEPT or not name.startswith("SWARMAGE_")},
            "SWARMAGE_HOME": str(self._home),
            "SWARMAGE_URL": url or there,
            LEDGER_VARIABLE: str(self.ledger),
            CLOCK_VARIABLE: str(self.clock_of(name)),
            **(extra or {}),
        }
        module = ["swarmage.chaos.skewed"] if self._clock else []
        log = self.folder / f"{name}.log"
        return Process(["-u", "-m", *module, *command], environment, log, orders=orders)


def _address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"stomp://chaos:{secrets.token_hex(16)}@127.0.0.1:{probe.getsockname()[1]}"
