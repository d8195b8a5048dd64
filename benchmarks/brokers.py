"""The buses that load tests compare and the promises are tried on: each a process of its own, on a port of its own.

Each is started by its command, ended by its own process id, and keeps its data in one folder, so that it can be killed
and started again as often as wanted.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from benchmarks.servers import connect
from swarmage.bench.raw_socket import RawSocket
from swarmage.bench.swarm import free_ports
from swarmage.settings import Address

END_SECONDS = 60.0
_ROOT = Path(__file__).resolve().parents[1]
_ACTIVEMQ = Path("/usr/share/activemq/bin/activemq.jar")
_LIBRARIES = Path(os.environ.get("ACTIVEMQ_LIBRARIES", "/usr/share/java"))
_OPENS = ("java.lang", "java.util", "java.net", "java.util.concurrent")


class Broker:
    """One bus, not started yet; with ``with`` it is ended and its folder, unless it was given, removed.

    Attributes:
        data: the folder it writes to.
        address: where it listens, with a login it takes.
    """

    name = ""
    package = ""
    """What Debian calls it."""

    def __init__(self, folder: Path | None = None, *, lean: bool = False) -> None:
        """Prepare its folder.

        Args:
            folder: for its data.
            lean: as small and as quick to start as it can be, for where several share a machine.
        """
        self._lean = lean
        self._temporary = TemporaryDirectory(prefix="swarmage-bench-") if folder is None else None
        self.data = Path(self._temporary.name) if self._temporary is not None else folder or Path()
        self.data.mkdir(parents=True, exist_ok=True)
        self.address = Address(port=free_ports(1)[0], login="swarm", passcode="swarm-" + os.urandom(8).hex())
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()  # nothing is worth the seconds that a goodbye takes
        if self._temporary is not None:
            self._temporary.cleanup()

    @classmethod
    def is_there(cls) -> bool:
        """Say whether this machine has it."""
        return True

    @property
    def pid(self) -> int:
        """The process at the top of its tree."""
        assert self._process is not None
        return self._process.pid

    def command(self) -> list[str]:
        """Return what starts it."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """Return the environment it is started in."""
        return os.environ

    def start(self) -> None:
        """Start the process; `wait` returns when it answers."""
        with (self.data / "out.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.data,
                env=dict(self.environment()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self) -> RawSocket:
        """Return a socket as soon as the bus lets one in.

        Raises:
            RuntimeError: it did not start; the message has the end of its log.
        """
        assert self._process is not None
        try:
            return connect(self.address, self._process)
        except (TimeoutError, ChildProcessError) as error:
            tail = (self.data / "out.log").read_text(errors="replace")[-3000:]
            raise RuntimeError(f"{type(self).__name__} did not start ({error}); it said:\n{tail}") from error

    def wait_until_up(self) -> None:
        """Return when the bus lets one in; raises as `wait` does."""
        self.wait().close()

    def kill(self) -> None:
        """Do what the kernel does to it when memory is short."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(END_SECONDS)

    def stop(self) -> None:
        """End it as its service would, and wait for it and for all that it has started; its data stays."""
        process, self._process = self._process, None
        if process is not None:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process that has a session of its own to end, and see to it that nothing of its session is left."""
    process.terminate()  # and does not ask again
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(END_SECONDS)
    _end_group(process.pid)


def _end_group(number: int) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for _ in range(20):
            try:
                os.killpg(number, sign)
            except ProcessLookupError:
                return
            time.sleep(0.1)


class Embedded(Broker):
    """swarmage's own bus."""

    name = "embedded"

    def command(self) -> list[str]:
        """Return what starts it."""
        return [sys.executable, "-m", "swarmage", "bus", "--listen", f"127.0.0.1:{self.address.port}"]

    def environment(self) -> Mapping[str, str]:
        """Return the environment it is started in."""
        own = {"SWARMAGE_HOME": str(self.data / "home"), "SWARMAGE_URL": self.address.url, "PYTHONPATH": str(_ROOT)}
        return {**os.environ, **own}


class ActiveMQ(Broker):
    """ActiveMQ Classic as Debian has it, without its service, with the configuration that stands beside this file."""

    name = "ActiveMQ"
    package = "activemq"

    def __init__(self, folder: Path | None = None, *, lean: bool = False) -> None:
        super().__init__(folder, lean=lean)
        (self.data / "tmp").mkdir()
        (self.data / "lib" / "optional").mkdir(parents=True)
        for library in self.libraries():
            (self.data / "lib" / "optional" / library.name).symlink_to(library)
        text = (Path(__file__).parent / "activemq.xml").read_text()
        (self.data / "activemq.xml").write_text(
            text.replace("FOLDER", str(self.data))
            .replace("PORT", str(self.address.port))
            .replace("LOGIN", self.address.login)
            .replace("PASSCODE", self.address.passcode)
        )

    @classmethod
    def libraries(cls) -> list[Path]:
        """Return what its statistics plugin needs to answer over STOMP, where this machine has it."""
        found = [_LIBRARIES / name for name in ("xstream.jar", "jettison.jar")]
        return found if all(library.exists() for library in found) else []

    @classmethod
    def is_there(cls) -> bool:
        """Say whether this machine has it."""
        return _ACTIVEMQ.exists() and shutil.which("java") is not None

    def command(self) -> list[str]:
        """Return what starts it."""
        folder = self.data
        return [
            "java", "-Xms64M", "-Xmx384M", "-XX:+UseSerialGC", *["-XX:TieredStopAtLevel=1"] * self._lean,
            *(word for package in _OPENS for word in ("--add-opens", f"java.base/{package}=ALL-UNNAMED")),
            f"-Dactivemq.classpath={folder}:", f"-Dactivemq.home={_ACTIVEMQ.parents[1]}", f"-Dactivemq.base={folder}",
            f"-Dactivemq.conf={folder}", f"-Dactivemq.data={folder}", f"-Djava.io.tmpdir={folder / 'tmp'}",
            "-jar", str(_ACTIVEMQ), "start", f"xbean:file:{folder / 'activemq.xml'}",
        ]  # fmt: skip
