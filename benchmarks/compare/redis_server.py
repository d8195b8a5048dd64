"""A Redis of one's own to compare with: a process with its data in a temporary folder, on a free port."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.brokers import end
from benchmarks.servers import wait_for_port
from swarmage.bench.swarm import free_ports

FSYNCS = ("everysec", "always")


def find() -> str | None:
    """Return the program, None where it is not installed."""
    return shutil.which("redis-server")


class Redis:
    """One server that writes each change to its log.

    Attributes:
        url: where it listens.
    """

    def __init__(self, program: str, fsync: str) -> None:
        """Make its folder.

        Args:
            program: the path of redis-server.
            fsync: when the log is synced to the disk: ``everysec``, as Redis recommends, or ``always``.
        """
        self._program = program
        self._fsync = fsync
        self._folder = TemporaryDirectory(prefix="swarmage-bench-redis-")
        self._port = free_ports(1)[0]
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Redis:
        with (Path(self._folder.name) / "out.log").open("wb") as log:
            self._server = subprocess.Popen(
                [
                    self._program, "--port", str(self._port), "--bind", "127.0.0.1", "--dir", self._folder.name,
                    "--appendonly", "yes", "--appendfsync", self._fsync, "--save", "", "--daemonize", "no",
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        try:
            wait_for_port(self._port, self._server)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            end(self._server)
        self._folder.cleanup()

    def version(self) -> str:
        """Return its version."""
        answer = subprocess.run([self._program, "--version"], capture_output=True, text=True, timeout=30, check=True)
        return answer.stdout.partition(" v=")[2].split()[0]
