"""One peer under one fault: its tasks are inserted, the fault strikes again and again, then all of it is drained."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.chaos.buses import place
from benchmarks.chaos.ledger import Ledger
from benchmarks.chaos.peers import SQLITE, Peer
from benchmarks.chaos.plan import Outcome, Plan
from benchmarks.rabbitmq import RabbitMQ
from swarmage.chaos.processes import descendants

PROGRAMS = Path(__file__).parent / "programs"
ROOT = PROGRAMS.parents[2]
END_SECONDS = 60.0
INSERT_SECONDS = 300.0
SETTLE_SECONDS = 3.0
"""How long nothing happens once the first task is done: a quorum queue of RabbitMQ 3.10 may lose what it has confirmed
when it is killed within a second after the queue was declared, and that is nobody's fault here."""


class Trial:
    """One peer on a bus of its own, in a folder of its own."""

    def __init__(self, peer: Peer, interpreter: str, folder: Path, plan: Plan) -> None:
        self._peer = peer
        self._interpreter = interpreter
        self._folder = folder
        self._plan = plan
        self._ledger = Ledger(folder / "ledger")
        self._place = place(peer.bus, folder / "bus")
        self._worker: subprocess.Popen[bytes] | None = None
        self._inserting: subprocess.Popen[bytes] | None = None

    def run(self, fault: str) -> Outcome:
        """Do it; nothing is left running."""
        try:
            self._start_bus()
            self._start_worker()
            self._warm_up()
            self._inserting = self._program("insert", "1", str(self._plan.tasks))
            for number in range(1, self._plan.strikes + 1):
                self._wait_for(number * self._plan.tasks // (self._plan.strikes + 1))
                FAULTS[fault](self)
            self._inserting.wait(INSERT_SECONDS)
            self._drain()
            left = self._count_left()
        finally:
            self._end()
        return self._count(fault, left)

    def _warm_up(self) -> None:
        """Have one task performed, so that what the peer declares is there, and who performs is at work."""
        self._inserting = self._program("insert", "0", "1")
        self._inserting.wait(INSERT_SECONDS)
        self._wait_for(1)
        time.sleep(SETTLE_SECONDS)

    # what strikes

    def kill_worker(self) -> None:
        """Kill all processes that perform, and start them anew."""
        self._kill_worker()
        self._start_worker()

    def kill_child(self) -> None:
        """Kill the process below that began a task last: not all of them perform."""
        assert self._worker is not None
        below = {self._worker.pid, *descendants(self._worker.pid)}
        performing = [line.pid for line in self._ledger.lines() if line.what == "begun" and line.pid in below]
        if performing:
            with contextlib.suppress(ProcessLookupError):
                os.kill(performing[-1], signal.SIGKILL)

    def roll(self) -> None:
        """Ask what performs to leave, and start it anew."""
        assert self._worker is not None
        self._worker.terminate()
        try:
            self._worker.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill_worker()
        self._start_worker()

    def kill_bus(self) -> None:
        """Kill the bus, and start it again."""
        assert self._place.bus is not None
        self._place.bus.kill()
        self._start_bus()

    # the rest

    def _start_bus(self) -> None:
        if self._place.bus is not None:
            self._place.bus.start()
            self._place.bus.wait_until_up()

    def _start_worker(self) -> None:
        url = ["--url", self._place.url] if self._peer.program == "rq_program" else []
        self._worker = self._start(["-m", *self._peer.worker, *url], "worker.log")

    def _keep_worker(self) -> None:
        """Start what performs again where it has ended, as a service manager does: some leave with a child or a bus."""
        if self._worker is not None and self._worker.poll() is not None:
            self._start_worker()

    def _kill_worker(self) -> None:
        if self._worker is None:
            return
        for pid in [self._worker.pid, *descendants(self._worker.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._worker.wait(END_SECONDS)

    def _program(self, *words: str) -> subprocess.Popen[bytes]:
        return self._start([f"{self._peer.program}.py", *words], "program.log")

    def _start(self, command: list[str], log: str) -> subprocess.Popen[bytes]:
        with (self._folder / log).open("ab") as file:
            return subprocess.Popen(
                [self._interpreter, *command],
                cwd=PROGRAMS,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    def _environment(self) -> Mapping[str, str]:
        own = {} if self._peer.packages else {"PYTHONPATH": str(ROOT)}
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("SWARMAGE_", "PYTHON"))},
            **self._place.environment,
            **own,
            "PYTHONDONTWRITEBYTECODE": "1",
            "CHAOS_URL": self._place.url,
            "CHAOS_LATE": "1" if self._peer.late else "",
            "CHAOS_LEDGER": str(self._ledger.path),
            "CHAOS_SECONDS": str(self._plan.seconds),
        }

    def _wait_for(self, done: int) -> None:
        """Wait until so many are done, or nothing is done any more."""
        deadline = time.monotonic() + self._plan.drain
        before = -1
        while (now := len(set(self._ledger.numbers("done")))) < done and time.monotonic() < deadline:
            if now != before:
                before, deadline = now, time.monotonic() + self._plan.drain
            self._keep_worker()
            time.sleep(0.05)

    def _drain(self) -> None:
        confirmed = set(self._ledger.numbers("confirmed"))
        deadline, before = time.monotonic() + self._plan.drain, -1
        while not confirmed <= (done := set(self._ledger.numbers("done"))) and time.monotonic() < deadline:
            if len(done) != before:
                before, deadline = len(done), time.monotonic() + self._plan.drain
            self._keep_worker()
            time.sleep(0.1)
        time.sleep(5 * self._plan.seconds)  # so that what is performed twice is seen to end, too

    def _count_left(self) -> int:
        """Return what its bus still has, once nobody takes from it."""
        if set(self._ledger.numbers("confirmed")) <= set(self._ledger.numbers("done")):
            return 0
        self._kill_worker()
        if isinstance(self._place.bus, RabbitMQ):  # which tells itself, and better than a queue that is declared again
            return self._place.bus.held()
        time.sleep(1.0)  # until the bus has noticed
        done = subprocess.run(
            [self._interpreter, f"{self._peer.program}.py", "left"],
            cwd=PROGRAMS,
            env=dict(self._environment()),
            capture_output=True,
            text=True,
            timeout=END_SECONDS,
            check=True,
        )
        return int(done.stdout.split()[-1])

    def _count(self, fault: str, left: int) -> Outcome:
        lines = self._ledger.lines()
        confirmed = {line.number for line in lines if line.what == "confirmed"}
        done = [line.number for line in lines if line.what == "done"]
        missing = len(confirmed.difference(done))
        ends = [line.time for line in lines if line.what == "done"]
        begin = min((line.time for line in lines if line.what == "attempted" and line.number), default=0.0)
        return Outcome(
            peer=self._peer.title,
            fault=fault,
            confirmed=len(confirmed),
            done=len(confirmed.intersection(done)),
            lost=missing - min(missing, left),
            stranded=min(missing, left),
            duplicated=sum(1 for number in set(done) if done.count(number) > 1),
            seconds=round(max(ends, default=begin) - begin, 1),
        )

    def _end(self) -> None:
        for process in (self._worker, self._inserting):
            if process is not None:
                for pid in [process.pid, *descendants(process.pid)]:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                process.wait(END_SECONDS)
        if self._place.bus is not None:
            self._place.bus.__exit__()


FAULTS: dict[str, Callable[[Trial], None]] = {
    "worker": Trial.kill_worker,
    "child": Trial.kill_child,
    "rolling": Trial.roll,
    "bus": Trial.kill_bus,
}
"""What strikes, by name."""


def applies(peer: Peer, fault: str) -> bool:
    """Say whether a fault is one for a peer: SQLite has no process that could be killed."""
    return not (fault == "bus" and peer.bus == SQLITE)
