"""A RabbitMQ of one's own to compare with: a single node in a temporary folder, STOMP on a free port of this machine.

It runs with RabbitMQ's own defaults. Its port mapper is started here and ended with it, so nothing stays behind.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.servers import connect, wait_for_port
from swarmage.bench.raw_socket import RawSocket
from swarmage.bench.swarm import free_ports
from swarmage.settings import Address

_PLACES = ("/usr/lib/rabbitmq/lib", "/usr/local/lib/rabbitmq/lib", "/opt/rabbitmq/lib", "/opt")
_STOP_TIMEOUT = 60.0
_CONFIG = """\
stomp.listeners.tcp.1 = 127.0.0.1:{stomp}
stomp.tcp_listen_options.nodelay = true
stomp.tcp_listen_options.backlog = 1024
listeners.tcp.1 = 127.0.0.1:{amqp}
distribution.listener.interface = 127.0.0.1
distribution.listener.port_range.min = {distribution}
distribution.listener.port_range.max = {distribution}
default_user = {address.login}
default_pass = {address.passcode}
log.console = true
log.console.level = warning
log.file = false
disk_free_limit.absolute = 50MB
"""


def find() -> Path | None:
    """Return the folder with RabbitMQ's scripts, None where it is not installed.

    The scripts that distributions put into PATH insist on a user of their own, so they come last.
    """
    for place in _PLACES:
        for folder in sorted(Path(place).glob("rabbitmq_server-*/sbin"), reverse=True):
            return folder
    found = shutil.which("rabbitmq-server")
    return Path(found).resolve().parent if found else None


class RabbitMQ:
    """One node with its data in a folder of its own.

    Attributes:
        address: where it listens with STOMP.
        amqp: where it listens with AMQP, as a URL.
        pid: the process at the top of its tree, while it runs.
    """

    name = "RabbitMQ"

    def __init__(self, sbin: Path) -> None:
        self._sbin = sbin
        self._folder = TemporaryDirectory(prefix="swarmage-bench-rabbitmq-")
        stomp, amqp, distribution, self._mapper_port = free_ports(4)
        self.address = Address(port=stomp, login="bench", passcode="bench-" + os.urandom(8).hex())
        self.amqp = f"amqp://{self.address.login}:{self.address.passcode}@127.0.0.1:{amqp}/"
        self._mapper: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        home = Path(self._folder.name)
        (home / "enabled_plugins").write_text("[rabbitmq_stomp].\n")
        config = _CONFIG.format(stomp=stomp, amqp=amqp, distribution=distribution, address=self.address)
        (home / "rabbitmq.conf").write_text(config)

    def __enter__(self) -> RabbitMQ:
        self._mapper = subprocess.Popen(["epmd"], env=self._environment(), stderr=subprocess.DEVNULL)
        try:
            wait_for_port(self._mapper_port, self._mapper)  # or Erlang would start one that stays
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._mapper is not None:
            end(self._mapper, _STOP_TIMEOUT)
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        """The process at the top of its tree."""
        assert self._server is not None
        return self._server.pid

    @property
    def data(self) -> Path:
        """The folder it writes to."""
        return Path(self._folder.name)

    def start(self) -> None:
        """Start the node; `wait` returns when it answers."""
        environment = self._environment()
        with (self.data / "out.log").open("ab") as log:
            self._server = subprocess.Popen(
                [self._sbin / "rabbitmq-server"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self) -> RawSocket:
        """Return a socket as soon as the node lets one in."""
        assert self._server is not None
        try:
            return connect(self.address, self._server)
        except (TimeoutError, ChildProcessError) as error:
            tail = (self.data / "out.log").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"RabbitMQ did not start ({error}); it said:\n{tail}") from error

    def stop(self) -> None:
        """End the node as its service would, and wait for it."""
        if self._server is not None:
            end(self._server, _STOP_TIMEOUT, group=True)
            self._server = None

    def versions(self) -> dict[str, str]:
        """Return the versions of RabbitMQ and Erlang."""
        erlang = 'io:format("OTP ~s, ERTS ~s", [erlang:system_info(K) || K <- [otp_release, version]]), halt().'
        return {
            "RabbitMQ": self._ask(self._sbin / "rabbitmqctl", "version"),
            "Erlang": self._ask("erl", "-noinput", "-eval", erlang),
        }

    def _ask(self, *command: str | Path) -> str:
        environment = self._environment()
        answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
        return answer.stdout.strip()

    def _environment(self) -> dict[str, str]:
        home = self._folder.name
        foreign = ("SWARMAGE_", "RABBITMQ_", "ERL_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        return kept | {
            "HOME": home,  # where Erlang makes its cookie
            "PATH": f"{self._sbin}:{os.environ.get('PATH', '')}",
            "RABBITMQ_NODENAME": f"swarmage-bench-{os.getpid()}@localhost",
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": f"{home}/rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/enabled_plugins",
            "RABBITMQ_MNESIA_BASE": f"{home}/mnesia",
            "RABBITMQ_LOG_BASE": f"{home}/log",
            "RABBITMQ_GENERATED_CONFIG_DIR": f"{home}/config",
            "RABBITMQ_FEATURE_FLAGS_FILE": f"{home}/feature_flags",
            "RABBITMQ_PID_FILE": f"{home}/pid",
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_FLAGS": "-start_epmd false",
        }


def end(process: subprocess.Popen[bytes], timeout: float, *, group: bool = False) -> None:
    """Ask the process to end, and do not ask again; with ``group`` see to it that nothing of its session is left."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout)
    if group:
        _end_group(process.pid)


def _end_group(number: int) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for _ in range(20):
            try:
                os.killpg(number, sign)
            except ProcessLookupError:
                return
            time.sleep(0.1)
