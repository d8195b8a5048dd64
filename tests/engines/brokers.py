"""The buses that the promises are tried on: each in a folder and on ports of its own, ended by its own process id."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from swarmage.bus.bus import Bus
from swarmage.errors import BusError
from swarmage.settings import Address

LOGIN, PASSCODE = "swarm", "swarmpw"
UP_SECONDS = 60.0
END_SECONDS = 20.0
_RABBITMQ = Path("/usr/lib/rabbitmq/lib")
_ACTIVEMQ = Path("/usr/share/activemq/bin/activemq.jar")
_LIBRARIES = Path(os.environ.get("ACTIVEMQ_LIBRARIES", "/usr/share/java"))
_OPENS = ("java.lang", "java.util", "java.net", "java.util.concurrent")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Broker:
    """One bus: `start` begins it, `wait` returns when it takes logins, `kill` is kill -9; again as often as wanted.

    Attributes:
        url: where it listens, with a login it takes.
    """

    package = ""
    """What Debian calls it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True)
        self.port = free_port()
        self.url = f"stomp://{LOGIN}:{PASSCODE}@127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def is_there(cls) -> bool:
        """Say whether this machine has it."""
        return True

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        return os.environ

    def start(self) -> None:
        with (self.folder / "out.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env=dict(self.environment()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Return when it takes logins."""
        assert self._process is not None
        deadline = time.monotonic() + UP_SECONDS
        while True:
            bus = Bus(Address.parse(self.url))
            try:
                bus.start(deadline - time.monotonic())
            except BusError as error:  # such as a login that RabbitMQ refuses as long as it reads its definitions
                if time.monotonic() > deadline:
                    log = (self.folder / "out.log").read_text(errors="replace")[-3000:]
                    raise AssertionError(f"{type(self).__name__} did not come up: {error}\n{log}") from None
                threading.Event().wait(0.1)
            else:
                return
            finally:
                bus.stop()

    def kill(self) -> None:
        """Do what the kernel does to it when memory is short."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for kind in (number, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, kind)
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            return


class Embedded(Broker):
    """swarmage's own bus, as a process."""

    def command(self) -> list[str]:
        return [sys.executable, "-m", "swarmage", "bus", "--listen", f"127.0.0.1:{self.port}"]

    def environment(self) -> Mapping[str, str]:
        root = str(Path(__file__).resolve().parents[2])
        return {**os.environ, "SWARMAGE_HOME": str(self.folder / "home"), "SWARMAGE_URL": self.url, "PYTHONPATH": root}


class RabbitMQ(Broker):
    """RabbitMQ as Debian has it: one node and the Erlang port mapper it needs.

    Attributes:
        management: URL of its management API.
    """

    package = "rabbitmq-server"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._mapper_port, self._inner_port, management = free_port(), free_port(), free_port()
        self.management = f"http://127.0.0.1:{management}"
        self._mapper: subprocess.Popen[bytes] | None = None
        for name in ("mnesia", "log", "config"):
            (folder / name).mkdir()
        (folder / "enabled_plugins").write_text("[rabbitmq_stomp, rabbitmq_management].\n")
        (folder / "definitions.json").write_text(json.dumps(_DEFINITIONS))
        (folder / "rabbitmq.conf").write_text(
            f"stomp.listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            "stomp.tcp_listen_options.nodelay = true\n"
            f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {management}\n"
            "listeners.tcp = none\n"
            "distribution.listener.interface = 127.0.0.1\n"
            f"distribution.listener.port_range.min = {self._inner_port}\n"
            f"distribution.listener.port_range.max = {self._inner_port}\n"
            f"load_definitions = {folder}/definitions.json\n"
            "log.console = true\nlog.console.level = warning\nlog.file = false\n"
            "disk_free_limit.absolute = 50MB\nvm_memory_high_watermark.absolute = 1GB\n"
        )

    @classmethod
    def is_there(cls) -> bool:
        return bool(_servers()) and shutil.which("epmd") is not None

    def start(self) -> None:
        if self._mapper is None:  # in the foreground: who starts it as a daemon does not know its process id
            self._mapper = subprocess.Popen(
                ["epmd", "-port", str(self._mapper_port), "-address", "127.0.0.1"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        super().start()

    def stop(self) -> None:
        self.kill()  # nothing here is worth the seconds that a goodbye takes
        mapper, self._mapper = self._mapper, None
        if mapper is not None:
            mapper.kill()
            mapper.wait()

    def command(self) -> list[str]:
        return [str(_servers()[-1])]  # not the one in /usr/sbin, which insists on a user and a home of its own

    def environment(self) -> Mapping[str, str]:
        folder = self.folder
        return {
            "PATH": f"{_servers()[-1].parent}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"swarm{self.port}@localhost",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "config"),
            "RABBITMQ_FEATURE_FLAGS_FILE": str(folder / "feature_flags"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }


def _servers() -> list[Path]:
    return sorted(_RABBITMQ.glob("rabbitmq_server-*/sbin/rabbitmq-server"))


_DEFINITIONS = {
    "users": [
        {"name": LOGIN, "password": PASSCODE, "tags": "monitoring"},
        {"name": "untagged", "password": PASSCODE, "tags": ""},
    ],
    "vhosts": [{"name": "/"}, {"name": "classic"}],
    "permissions": [
        {"user": user, "vhost": vhost, "configure": ".*", "write": ".*", "read": ".*"}
        for user in (LOGIN, "untagged")
        for vhost in ("/", "classic")
    ],
}


class ActiveMQ(Broker):
    """ActiveMQ Classic as Debian has it, without its service."""

    package = "activemq"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "tmp").mkdir()
        (folder / "lib" / "optional").mkdir(parents=True)
        for library in self.libraries():
            (folder / "lib" / "optional" / library.name).symlink_to(library)
        text = (Path(__file__).parent / "activemq.xml").read_text()
        (folder / "activemq.xml").write_text(
            text.replace("FOLDER", str(folder))
            .replace("PORT", str(self.port))
            .replace("LOGIN", LOGIN)
            .replace("PASSCODE", PASSCODE)
        )

    @classmethod
    def libraries(cls) -> list[Path]:
        """Return what its statistics plugin needs to answer over STOMP, where this machine has it."""
        found = [_LIBRARIES / name for name in ("xstream.jar", "jettison.jar")]
        return found if all(library.exists() for library in found) else []

    @classmethod
    def is_there(cls) -> bool:
        return _ACTIVEMQ.exists() and shutil.which("java") is not None

    def command(self) -> list[str]:
        folder = self.folder
        return [
            "java", "-Xms64M", "-Xmx256M", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            *(word for package in _OPENS for word in ("--add-opens", f"java.base/{package}=ALL-UNNAMED")),
            f"-Dactivemq.classpath={folder}:", f"-Dactivemq.home={_ACTIVEMQ.parents[1]}", f"-Dactivemq.base={folder}",
            f"-Dactivemq.conf={folder}", f"-Dactivemq.data={folder}", f"-Djava.io.tmpdir={folder / 'tmp'}",
            "-jar", str(_ACTIVEMQ), "start", f"xbean:file:{folder / 'activemq.xml'}",
        ]  # fmt: skip
