"""A bus and drones in processes of their own, started by the commands that users type."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from swarmage import Client
from swarmage.home import record_address
from swarmage.settings import Address

START_TIMEOUT = 20.0


class Swarm:
    """`swarmage bus` with its data in a folder of its own, or another bus, and `swarmage drone` when asked for.

    Attributes:
        address: where the bus listens.
        home: the folder.
    """

    def __init__(self, bus: int | Address) -> None:
        """Set the environment for all that is started, here and as commands.

        Args:
            bus: the port for `start_bus`, or where another bus listens.
        """
        self._folder = TemporaryDirectory(prefix="swarmage-bench-")
        self.home = Path(self._folder.name)
        passcode = "bench-" + os.urandom(8).hex()
        self.address = bus if isinstance(bus, Address) else Address(port=bus, login="bench", passcode=passcode)
        os.environ["SWARMAGE_HOME"] = self._folder.name
        os.environ["SWARMAGE_URL"] = self.address.url
        record_address(self.home, self.address)
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Swarm:
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            self.stop(process)
        self._folder.cleanup()

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a swarmage command."""
        argv = [sys.executable, "-m", "swarmage", *command]
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self._processes.append(process)
        threading.Thread(target=_forward, args=(process,), daemon=True).start()
        return process

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """End a command as a user would, and wait for it."""
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=60)

    def start_bus(self) -> None:
        """Start the bus and return when it answers."""
        self.start("bus")
        with Client(timeout=START_TIMEOUT) as client:
            client.bus.start(START_TIMEOUT)

    def start_drone(
        self, targets: Sequence[str] = ("benchmarks.workers",), processes: int = 1
    ) -> subprocess.Popen[bytes]:
        """Start drones; they are there when `wait_for_drones` says so."""
        return self.start("drone", *targets, "-p", str(processes))

    def wait_for_drones(self, client: Client, count: int) -> None:
        """Return when so many drones answer."""
        deadline = time.monotonic() + START_TIMEOUT
        while len(client.status()["drones"]) != count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{count} drones are not there after {START_TIMEOUT:.0f} s")
            time.sleep(0.05)


def _forward(process: subprocess.Popen[bytes]) -> None:
    """Pass on warnings and worse; the rest would only disturb the figures."""
    assert process.stderr is not None
    for line in process.stderr:
        if b"WARNING" in line or b"ERROR" in line or b"Traceback" in line:
            sys.stderr.buffer.write(line)
