"""A Redis of one's own: a process with its data in a folder of its own, on a free port."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from benchmarks.brokers import Broker
from benchmarks.servers import wait_for_port

FSYNCS = ("everysec", "always")
_PROGRAM = "redis-server"


class Redis(Broker):
    """One server that writes each change to its log."""

    name = "Redis"
    package = _PROGRAM

    def __init__(self, folder: Path | None = None, *, lean: bool = False, fsync: str = FSYNCS[0]) -> None:
        """Prepare its folder.

        Args:
            folder: for its data.
            lean: makes no difference here.
            fsync: when the log is synced to the disk: ``everysec``, as Redis recommends, or ``always``.
        """
        super().__init__(folder, lean=lean)
        self._fsync = fsync

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://{self.address.host}:{self.address.port}/0"

    @classmethod
    def is_there(cls) -> bool:
        """Say whether this machine has it."""
        return shutil.which(_PROGRAM) is not None

    def command(self) -> list[str]:
        """Return what starts it."""
        return [
            _PROGRAM, "--port", str(self.address.port), "--bind", self.address.host, "--dir", str(self.data),
            "--appendonly", "yes", "--appendfsync", self._fsync, "--save", "", "--daemonize", "no",
        ]  # fmt: skip

    def wait_until_up(self) -> None:
        """Return when it takes connections."""
        assert self._process is not None
        wait_for_port(self.address.port, self._process)

    def version(self) -> str:
        """Return its version."""
        answer = subprocess.run([_PROGRAM, "--version"], capture_output=True, text=True, timeout=30, check=True)
        return answer.stdout.partition(" v=")[2].split()[0]
