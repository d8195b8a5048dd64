"""A RabbitMQ of one's own: a node or a cluster of three, each in a folder of its own, STOMP on a free port."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.brokers import Broker
from benchmarks.erlang import Mapper
from swarmage.bench.swarm import free_ports
from swarmage.settings import Address

_PLACES = ("/usr/lib/rabbitmq/lib", "/usr/local/lib/rabbitmq/lib", "/opt/rabbitmq/lib", "/opt")
_ASK_SECONDS = 60.0
TICK_SECONDS = 4
"""Seconds, and a quarter more, until a node that has fallen silent counts as dead; RabbitMQ's own are a minute."""
DETECTOR_MS = 1000
"""Milliseconds between two looks at whether the other nodes beat; RabbitMQ's own are five seconds."""
_ADVANCED = f"[{{aten, [{{poll_interval, {DETECTOR_MS}}}]}}].\n"
"""What has no word in rabbitmq.conf before 3.10.14."""
_CONFIG = """\
stomp.listeners.tcp.1 = 127.0.0.1:{stomp}
stomp.tcp_listen_options.nodelay = true
stomp.tcp_listen_options.backlog = 1024
listeners.tcp.1 = 127.0.0.1:{amqp}
distribution.listener.interface = 127.0.0.1
distribution.listener.port_range.min = {distribution}
distribution.listener.port_range.max = {distribution}
load_definitions = {folder}/definitions.json
log.console = true
log.console.level = warning
log.file = false
disk_free_limit.absolute = 50MB
"""
_MANAGEMENT = """\
management.tcp.ip = 127.0.0.1
management.tcp.port = {port}
"""
_CLUSTER = """\
cluster_formation.peer_discovery_backend = classic_config
cluster_partition_handling = pause_minority
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


class RabbitMQ(Broker):
    """One node, with RabbitMQ's own defaults but where it says otherwise.

    Attributes:
        node: what it is called among Erlang's nodes.
        amqp: where it listens with AMQP, as a URL.
        management: URL of its management API, empty where it has none.
    """

    name = "RabbitMQ"
    package = "rabbitmq-server"

    def __init__(
        self,
        folder: Path | None = None,
        *,
        lean: bool = False,
        managed: bool = False,
        number: int = 1,
        mapper: Mapper | None = None,
    ) -> None:
        """Write its configuration.

        Args:
            folder: for its data.
            lean: with one scheduler that does not spin.
            managed: with its management API.
            number: tells it from others of one mapper.
            mapper: of a cluster; without it the node has one of its own.
        """
        super().__init__(folder, lean=lean)
        self._sbin = find() or Path()
        self._own_mapper = mapper is None
        self._mapper = mapper or Mapper(self.data)
        self._distribution, self._amqp, port = free_ports(3)
        self.amqp = f"amqp://{self.address.login}:{self.address.passcode}@127.0.0.1:{self._amqp}/"
        self.management = f"http://127.0.0.1:{port}" if managed else ""
        self.node = f"swarm{number}@localhost"
        self.write_config()

    def write_config(self, peers: Sequence[str] = ()) -> None:
        """Write how it is to start, as one of several nodes where there are any."""
        plugins = "rabbitmq_stomp, rabbitmq_management" if self.management else "rabbitmq_stomp"
        (self.data / "enabled_plugins").write_text(f"[{plugins}].\n")
        (self.data / "advanced.config").write_text(_ADVANCED)
        (self.data / "definitions.json").write_text(json.dumps(_definitions(self.address)))
        config = _CONFIG.format(
            stomp=self.address.port, amqp=self._amqp, distribution=self._distribution, folder=self.data
        )
        if self.management:
            config += _MANAGEMENT.format(port=self.management.rpartition(":")[2])
        if peers:
            config += _CLUSTER
            config += "".join(
                f"cluster_formation.classic_config.nodes.{number} = {peer}\n" for number, peer in enumerate(peers, 1)
            )
        (self.data / "rabbitmq.conf").write_text(config)

    def __exit__(self, *_: object) -> None:
        self.kill()
        if self._own_mapper:
            self._mapper.stop()
        super().__exit__()

    @classmethod
    def is_there(cls) -> bool:
        """Say whether this machine has it."""
        return find() is not None and shutil.which("epmd") is not None

    def start(self) -> None:
        """Start the node; `wait` returns when it answers."""
        self._mapper.start()
        super().start()

    def versions(self) -> dict[str, str]:
        """Return the versions of RabbitMQ and Erlang; the node need not run."""
        self._mapper.start()  # without which no Erlang of this environment answers
        erlang = 'io:format("OTP ~s, ERTS ~s", [erlang:system_info(K) || K <- [otp_release, version]]), halt().'
        return {
            "RabbitMQ": self._run(str(self._sbin / "rabbitmqctl"), "version"),
            "Erlang": self._run("erl", "-noinput", "-eval", erlang),
        }

    def evaluate(self, expression: str) -> str:
        """Return what an Erlang expression, which ends in a period, comes to in this node.

        Raises:
            RuntimeError: the node cannot be asked, or the expression fails.
        """
        answer = self._run("erl_call", "-name", self.node, "-e", text=f"{expression}\n")
        if not answer.startswith("{ok, "):
            raise RuntimeError(f"{self.node} answers {answer!r} to {expression}")
        return answer.removeprefix("{ok, ").removesuffix("}")

    def held(self) -> int:
        """Return how many messages all its queues have, with those that a consumer has not acknowledged.

        Streams are left out: what was taken from one stays there.

        Raises:
            RuntimeError: the node cannot be asked.
        """
        ask = ("--node", self.node, "--silent", "list_queues", "type", "messages", "--formatter", "json")
        rows = json.loads(self._run(str(self._sbin / "rabbitmqctl"), *ask))
        return sum(row["messages"] for row in rows if row["type"] != "stream")

    def _run(self, *command: str, text: str = "") -> str:
        try:
            done = subprocess.run(
                command, env=self.environment(), input=text, capture_output=True, text=True, timeout=_ASK_SECONDS,
                check=True,
            )  # fmt: skip
        except subprocess.SubprocessError as error:
            said = getattr(error, "stderr", "") or ""
            raise RuntimeError(f"{command[0]} failed: {error}; {said}") from error
        return done.stdout.strip()

    def command(self) -> list[str]:
        """Return what starts it."""
        return [str(self._sbin / "rabbitmq-server")]

    def environment(self) -> Mapping[str, str]:
        """Return the environment it is started in."""
        folder = self.data
        erlang = f"-kernel net_ticktime {TICK_SECONDS}" + " +S 1:1 +sbwt none" * self._lean
        return {
            **self._mapper.environment,
            "PATH": f"{self._sbin}:{os.environ.get('PATH', '')}",
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{folder}/advanced.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_GENERATED_CONFIG_DIR": f"{folder}/config",
            "RABBITMQ_FEATURE_FLAGS_FILE": f"{folder}/feature_flags",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": erlang,
        }


UNTAGGED = "untagged"
"""A user with the same passcode who may not ask the management API."""


def _definitions(address: Address) -> dict[str, object]:
    vhosts = ("/", "classic")
    tags = {address.login: "monitoring", UNTAGGED: ""}
    return {
        "users": [{"name": user, "password": address.passcode, "tags": tag} for user, tag in tags.items()],
        "vhosts": [{"name": vhost} for vhost in vhosts],
        "permissions": [
            {"user": user, "vhost": vhost, "configure": ".*", "write": ".*", "read": ".*"}
            for user in tags
            for vhost in vhosts
        ],
    }
