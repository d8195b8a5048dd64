"""Erlang's port mapper: started with a RabbitMQ of one's own and ended with it, so nothing stays behind."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from benchmarks.brokers import END_SECONDS
from benchmarks.servers import wait_for_port
from swarmage.bench.swarm import free_ports


class Mapper:
    """Erlang's port mapper, through which the nodes of one cluster find each other, and the cookie that they share."""

    def __init__(self, home: Path) -> None:
        self._port = free_ports(1)[0]
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        cookie = home / ".erlang.cookie"
        cookie.write_text(os.urandom(16).hex())
        cookie.chmod(0o400)

    @property
    def environment(self) -> dict[str, str]:
        """What Erlang finds it by."""
        return {
            "HOME": str(self._home),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_FLAGS": "-start_epmd false",
        }

    def start(self) -> None:
        """Return when it listens, or Erlang would start one that stays; safe when it does already."""
        if self._process is not None:
            return
        environment = {"PATH": os.environ.get("PATH", ""), **self.environment}
        self._process = subprocess.Popen(
            ["epmd"], env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        wait_for_port(self._port, self._process)

    def stop(self) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(END_SECONDS)
