"""A bus and drones in processes of their own, started by the commands that users type, and all of them ended again."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from swarmage.bench.process_cost import tree
from swarmage.client.client import Client
from swarmage.errors import ConfigError, DeadlineExceeded, SwarmageError
from swarmage.home import record_address, resolve_address
from swarmage.settings import Address

START_TIMEOUT = 60.0
STOP_TIMEOUT = 60.0
THREADS = "swarmage.bench.workers:Threads"
_LOOK_SECONDS = 0.02


class Guest:
    """Drones started here on a bus that runs already: that of SWARMAGE_URL, or else the one that was started here.

    Attributes:
        address: where the bus listens.
        bus: the bus's process, where it was started here.

    Raises:
        ConfigError: no bus is known here, or it is one that the bare sockets of a load test cannot reach.
    """

    def __init__(self, address: Address | None = None) -> None:
        self.address = address or resolve_address()
        if self.address.tls or self.address.memory:
            raise ConfigError(f"{self.address}: bare sockets speak plain STOMP only; name a bus without TLS")
        self.bus: subprocess.Popen[bytes] | None = None
        self._processes: dict[subprocess.Popen[bytes], str] = {}
        self._said: deque[str] = deque(maxlen=20)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(list(self._processes)):
            self.stop(process)

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a swarmage command."""
        process = subprocess.Popen(  # noqa: S603 - the command is this interpreter
            self.argv(command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        self._processes[process] = command[0]
        threading.Thread(target=self._listen, args=(process,), daemon=True).start()
        return process

    def argv(self, command: Sequence[str]) -> list[str]:
        """Return what starts a command of swarmage."""
        return [sys.executable, "-m", "swarmage", *command]

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """End a command as a user would, and wait for it."""
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=STOP_TIMEOUT)

    def start_bus(self) -> None:
        """Return when the bus answers."""
        with Client(timeout=START_TIMEOUT) as client:
            client.bus.start(START_TIMEOUT)

    def start_drone(self, targets: Sequence[str] = (THREADS,), processes: int = 1) -> subprocess.Popen[bytes]:
        """Start drones; they are there when `wait_for_drones` says so."""
        return self.start("drone", *targets, "-p", str(processes))

    def drones(self, client: Client) -> list[dict[str, Any]]:
        """Return what those drones say of themselves that were started here.

        Raises:
            SwarmageError: a process that was started here has ended in failure; carries what it said last.
        """
        self.check()
        ours = {pid for process in self._processes if process.poll() is None for pid in tree(process.pid)}
        return [drone for drone in client.status()["drones"] if drone["pid"] in ours]

    def wait_for_drones(self, client: Client, count: int) -> None:
        """Return when so many drones answer.

        Raises:
            DeadlineExceeded: they do not, within a minute.
            SwarmageError: as `drones` does.
        """
        deadline = time.monotonic() + START_TIMEOUT
        while len(self.drones(client)) != count:
            if time.monotonic() > deadline:
                raise DeadlineExceeded(f"{count} drones are not there after {START_TIMEOUT:.0f} s")
            time.sleep(_LOOK_SECONDS)

    def check(self) -> None:
        """Raise what `drones` does when a process has ended in failure."""
        for process, command in self._processes.items():
            if process.poll():
                said = "\n".join(self._said)
                raise SwarmageError(f"`swarmage {command}` ended with {process.returncode}; it said:\n{said}")

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        """Pass on warnings and worse; the rest would only disturb the figures."""
        assert process.stderr is not None
        with process.stderr as pipe:
            for line in pipe:
                self._said.append(line.decode(errors="replace").rstrip())
                if b"WARNING" in line or b"ERROR" in line or b"Traceback" in line:
                    sys.stderr.buffer.write(line)


class Swarm(Guest):
    """`swarmage bus` with its data in a folder of its own, and `swarmage drone` when asked for.

    While it is there, the environment of this process names it, so that clients find it.

    Attributes:
        home: the folder.
    """

    def __init__(self, bus: int | Address, folder: Path | None = None) -> None:
        """Make the folder.

        Args:
            bus: the port for `start_bus` on this machine, or where another bus listens.
            folder: where to make the folder; by default where the system has such folders.

        Raises:
            ConfigError: it cannot be made there.
        """
        passcode = "bench-" + os.urandom(8).hex()
        super().__init__(bus if isinstance(bus, Address) else Address(port=bus, login="bench", passcode=passcode))
        try:
            self._folder = TemporaryDirectory(prefix="swarmage-bench-", dir=folder)
        except OSError as error:
            place = folder or "the system's folder for such"
            raise ConfigError(f"no folder can be made in {place}: {error.strerror}; name another") from error
        self.home = Path(self._folder.name)
        self._environment = {name: value for name, value in os.environ.items() if name.startswith("SWARMAGE_")}
        for name in self._environment:
            del os.environ[name]
        os.environ["SWARMAGE_HOME"] = self._folder.name
        os.environ["SWARMAGE_URL"] = self.address.url
        record_address(self.home, self.address)

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        for name in [name for name in os.environ if name.startswith("SWARMAGE_")]:
            del os.environ[name]
        os.environ.update(self._environment)
        self._folder.cleanup()

    def start_bus(self) -> None:
        """Start the bus and return when it answers."""
        self.bus = self.start("bus")
        super().start_bus()


def free_ports(count: int) -> list[int]:
    """Return TCP ports nobody listens on now."""
    with ExitStack() as open_sockets:
        ports: list[int] = []
        for _ in range(count):
            probe = open_sockets.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
        return ports
