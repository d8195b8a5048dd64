"""What the load tests of a bus ask of the processes they compare."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from swarmage.bench.raw_socket import RawSocket
from swarmage.bench.swarm import Swarm, free_ports
from swarmage.settings import Address

_START_TIMEOUT = 180.0  # with a million messages on disk, on a slow machine
_RETRY_SECONDS = 0.005
Opened = TypeVar("Opened")


class Server(Protocol):
    """A STOMP server in a process of its own, with its data on disk."""

    name: str
    address: Address

    @property
    def pid(self) -> int:
        """The process at the top of its tree."""
        ...

    @property
    def data(self) -> Path:
        """The folder it writes to."""
        ...

    def start(self) -> None:
        """Start the process; `wait` returns when it answers."""
        ...

    def wait(self) -> RawSocket:
        """Return a socket as soon as the server lets one in."""
        ...

    def stop(self) -> None:
        """End the process and wait for it; its data stays."""
        ...


class Embedded:
    """`swarmage bus` as users start it."""

    name = "embedded"

    def __init__(self) -> None:
        self._swarm = Swarm(free_ports(1)[0])
        self.address = self._swarm.address
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Embedded:
        return self

    def __exit__(self, *_: object) -> None:
        self._swarm.__exit__()

    @property
    def pid(self) -> int:
        """The process of the bus."""
        assert self._process is not None
        return self._process.pid

    @property
    def data(self) -> Path:
        """The folder it writes to."""
        return self._swarm.home

    def start(self) -> None:
        """Start the process; `wait` returns when it answers."""
        self._process = self._swarm.start("bus")

    def wait(self) -> RawSocket:
        """Return a socket as soon as the bus lets one in."""
        assert self._process is not None
        return connect(self.address, self._process)

    def stop(self) -> None:
        """End the bus and wait for it."""
        if self._process is not None:
            self._swarm.stop(self._process)


def connect(address: Address, process: subprocess.Popen[bytes]) -> RawSocket:
    """Try until the process lets us in.

    Raises:
        ChildProcessError: it ended.
        TimeoutError: it took too long.
    """
    return _retry(lambda: RawSocket(address), process)


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when the process listens; raises as `connect` does."""
    _retry(lambda: socket.create_connection(("127.0.0.1", port)), process).close()


def _retry(attempt: Callable[[], Opened], process: subprocess.Popen[bytes]) -> Opened:
    deadline = time.monotonic() + _START_TIMEOUT
    while True:
        try:
            return attempt()
        except ConnectionError as error:
            if process.poll() is not None:
                raise ChildProcessError(f"it ended with {process.returncode}") from error
            if time.monotonic() > deadline:
                raise TimeoutError(f"nobody answered within {_START_TIMEOUT:.0f} s: {error}") from error
        time.sleep(_RETRY_SECONDS)
