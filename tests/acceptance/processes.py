"""Real processes for the acceptance tests."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from swarmage import Client

WORKERS = Path(__file__).parent / "workers"
DEADLINE = 30.0


class Home:
    """A state folder, and the environment of those who use it.

    Attributes:
        folder: the state folder.
        url: where its bus listens.
        environment: what a process of this swarm finds in its environment, and nothing else.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"stomp://tester:secret@127.0.0.1:{free_port()}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(WORKERS.parents[2]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SWARMAGE_HOME": str(folder),
            "SWARMAGE_URL": self.url,
        }


class Started:
    """A process of ``swarmage`` that runs, and what it has said so far on stdout and stderr."""

    def __init__(self, argv: tuple[str, ...], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-m", "swarmage", *argv],
            cwd=WORKERS,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self._lines: list[str] = []
        self._read = 0
        self._news = threading.Condition()
        self._ended = False
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as pipe:
            for line in pipe:
                with self._news:
                    self._lines.append(line.rstrip("\n"))
                    self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    @property
    def output(self) -> str:
        return "\n".join(self._lines)

    def wait_for_line(self, pattern: str, timeout: float = DEADLINE) -> re.Match[str]:
        """Return the next line that matches, counted from the last one that did."""
        deadline = time.monotonic() + timeout
        with self._news:
            while True:
                for number in range(self._read, len(self._lines)):
                    if match := re.search(pattern, self._lines[number]):
                        self._read = number + 1
                        return match
                left = deadline - time.monotonic()
                if self._ended or left <= 0 or not self._news.wait(left):
                    raise AssertionError(f"no line like {pattern!r} in:\n{self.output}")

    def children(self) -> list[int]:
        """Return the process ids of all children it has told of."""
        return [int(pid) for pid in re.findall(r"started, pid (\d+)", self.output)]

    def send_signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def press_ctrl_c(self) -> None:
        """Do what a terminal does: the signal reaches the whole process group."""
        os.killpg(self.pid, signal.SIGINT)

    def exit_code(self, timeout: float = DEADLINE) -> int:
        """Wait until it has ended by itself."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running:\n{self.output}") from None

    def clean_up(self) -> None:
        """End it: ask twice, which aborts, then leave it no choice."""
        self._process.send_signal(signal.SIGTERM)
        self._process.send_signal(signal.SIGINT)  # a second SIGTERM could melt into the first
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pid in self.children():
            if not is_gone(pid):
                os.kill(pid, signal.SIGKILL)


Start = Callable[..., Started]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended; one that only waits to be reaped has."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def eventually(check: Callable[[], object], timeout: float = DEADLINE) -> None:
    """Wait until the check says yes, where nothing tells of it."""
    deadline = time.monotonic() + timeout
    while not check():
        assert time.monotonic() < deadline, "it did not come to be"
        threading.Event().wait(0.02)


def written(ledger: Path) -> Counter[str]:
    return Counter(ledger.read_text().splitlines()) if ledger.exists() else Counter()


def drone_pids(client: Client) -> list[int]:
    return [drone["pid"] for drone in client.status()["drones"]]


def tasks_left(client: Client) -> int:
    return sum(
        queue["waiting"] + queue["in_flight"] + queue["delayed"]
        for queue in client.status()["queues"]
        if queue["task_class"]
    )


def parents() -> dict[int, int]:
    """Return the parent of each process there is."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            found[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def forkserver(drone: int) -> int:
    return next(pid for pid, parent in parents().items() if parent == drone)


def boxes(drone: int) -> list[int]:
    """Return the processes of a drone's workers."""
    there = parents()
    return [pid for pid, parent in there.items() if there.get(parent) == drone]
