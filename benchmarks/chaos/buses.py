"""The buses of the peers, each of which can be killed and started again on the same data."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.chaos.peers import OWN, RABBITMQ, REDIS, SQLITE

UP_SECONDS = 90.0
END_SECONDS = 20.0
_LOGIN = "chaos"
_SWARMAGE = [sys.executable, "-m", "swarmage"]


class NotInstalled(Exception):
    """Something that is needed is not here; the message says what to do."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Bus:
    """One bus; `start` returns when it takes connections, `kill` is kill -9.

    Attributes:
        url: where it listens.
        environment: what programs need to find it, besides the url.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.port = free_port()
        self.url = ""
        self.environment: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def start(self) -> None:
        with (self.folder / "out.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + UP_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self.folder / "out.log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"the {type(self).__name__} did not come up; it said:\n{said}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1.0):
            return True
        return False

    def kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(END_SECONDS)
            self._process = None

    def stop(self) -> None:
        self.kill()


class OwnBus(Bus):
    """swarmage's own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.url = f"stomp://{_LOGIN}:{secrets.token_hex(8)}@127.0.0.1:{self.port}"
        self.environment = {"SWARMAGE_URL": self.url, "SWARMAGE_HOME": str(folder / "home")}

    def command(self) -> Sequence[str]:
        return [*_SWARMAGE, "bus"]


class RedisBus(Bus):
    """Redis with the log it recommends for data that matters."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> Sequence[str]:
        program = shutil.which("redis-server")
        if program is None:
            raise NotInstalled("Redis is not installed; on Debian: apt-get install redis-server")
        return [
            *(program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", ""),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--daemonize", "no"),
        ]


class RabbitBus(Bus):
    """RabbitMQ with AMQP and STOMP, one node."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._sbin = _rabbitmq()
        passcode = secrets.token_hex(8)
        stomp, inner, self._mapper_port = free_port(), free_port(), free_port()
        self.url = f"amqp://{_LOGIN}:{passcode}@127.0.0.1:{self.port}/"
        (folder / "enabled_plugins").write_text("[rabbitmq_stomp].\n")
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\nstomp.listeners.tcp.1 = 127.0.0.1:{stomp}\n"
            "stomp.tcp_listen_options.nodelay = true\ndistribution.listener.interface = 127.0.0.1\n"
            f"distribution.listener.port_range.min = {inner}\ndistribution.listener.port_range.max = {inner}\n"
            f"default_user = {_LOGIN}\ndefault_pass = {passcode}\n"
            "log.console = true\nlog.console.level = warning\nlog.file = false\ndisk_free_limit.absolute = 50MB\n"
        )
        self._stomp = stomp
        self._mapper: subprocess.Popen[bytes] | None = None
        files = {"CONFIG": "rabbitmq.conf", "ENABLED_PLUGINS": "enabled_plugins", "FEATURE_FLAGS": "feature_flags"}
        self.environment = {
            **{f"RABBITMQ_{name}_FILE": str(folder / file) for name, file in files.items()},
            "PATH": f"{self._sbin}:{os.environ['PATH']}",
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"chaos{self.port}@localhost",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "config"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "SWARMAGE_URL": f"stomp://{_LOGIN}:{passcode}@127.0.0.1:{stomp}",
            "SWARMAGE_HOME": str(folder / "home"),
        }

    def command(self) -> Sequence[str]:
        return [str(self._sbin / "rabbitmq-server")]

    def start(self) -> None:
        if self._mapper is None:  # or Erlang would start one that stays
            command = ["epmd", "-port", str(self._mapper_port), "-address", "127.0.0.1"]
            self._mapper = subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL)
        super().start()

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._stomp), timeout=1.0):
            return super()._answers()
        return False

    def stop(self) -> None:
        super().stop()
        if self._mapper is not None:
            self._mapper.kill()
            self._mapper.wait(END_SECONDS)


class SqliteFile(Bus):
    """No bus at all, but a file."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.url = str(folder / "huey.db")

    def start(self) -> None:
        """There is nothing to start."""


def _rabbitmq() -> Path:
    for place in ("/usr/lib/rabbitmq/lib", "/usr/local/lib/rabbitmq/lib", "/opt/rabbitmq/lib", "/opt"):
        for folder in sorted(Path(place).glob("rabbitmq_server-*/sbin"), reverse=True):
            return folder
    raise NotInstalled("RabbitMQ is not installed; on Debian: apt-get install rabbitmq-server")


BUSES: dict[str, type[Bus]] = {OWN: OwnBus, RABBITMQ: RabbitBus, REDIS: RedisBus, SQLITE: SqliteFile}
