from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from swarmage.supervisor.protocol import SPEC_VARIABLE, Beat, DroneSpec, Failed, Ready, Report, decode_report, encode

pytestmark = pytest.mark.acceptance

SECONDS = 30.0

BOOT = """
import sys
from swarmage.supervisor import child, parent_link
from swarmage.supervisor.protocol import DroneSpec
child.ROLES[DroneSpec] = "some_role"
parent_link.GRACE_SECONDS = parent_link.MARGIN_SECONDS = 0.05
sys.exit(child.main())
"""

ROLE = """
import os, subprocess, sys, threading
from queue import Empty, SimpleQueue
from swarmage.errors import TargetError
from swarmage.supervisor.protocol import Ready

class Stops(SimpleQueue):
    def wait(self):
        while True:  # as every role does: of signals that come together some wake only another thread than the main one
            try:
                return self.get(timeout=0.1)
            except Empty:
                continue

def run(spec, parent):
    stops = Stops()
    parent.on_stop(lambda: stops.put(None))
    {body}
    parent.report(Ready(task_classes=(spec.name,)))
    {then}
    stops.wait()
    print("drained")
"""


class Child:
    """A child process with a role of the test's own; the test is its parent."""

    def __init__(self, folder: Path, body: str, then: str) -> None:
        (folder / "some_role.py").write_text(ROLE.format(body=body, then=then))
        spec = DroneSpec(name="drone-1", targets=(), concurrency={})
        self.process = subprocess.Popen(
            [sys.executable, "-c", BOOT],
            cwd=folder,
            env={**os.environ, SPEC_VARIABLE: encode(spec)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,  # so that what was not read yet is in the pipe, where select sees it
        )

    def report(self) -> Report | None:
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], SECONDS)[0], "no report"
        return decode_report(self.process.stdout.readline())

    def leave(self) -> None:
        """Do what the kernel does when the parent is killed."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def end(self) -> tuple[int, str, str]:
        """Wait for it; return its exit code, the rest of its stdout, and its stderr."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        code = self.process.wait(timeout=SECONDS)
        return code, self.process.stdout.read().decode(), self.process.stderr.read().decode()

    def clean_up(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()


Boot = Callable[..., Child]


@pytest.fixture
def boot(tmp_path: Path) -> Iterator[Boot]:
    """Start a child whose role does ``body`` before it is ready and ``then`` afterwards."""
    started: list[Child] = []

    def start(body: str = "pass", then: str = "pass") -> Child:
        started.append(Child(tmp_path, body, then))
        return started[-1]

    yield start
    for child in started:
        child.clean_up()


def test_reports_that_it_is_ready_and_drains_on_sigterm(boot: Boot) -> None:
    child = boot()
    assert child.report() == Ready(task_classes=("drone-1",))
    child.process.send_signal(signal.SIGTERM)
    assert child.end() == (0, "", "drained\n")


def test_drains_when_its_parent_is_gone(boot: Boot) -> None:
    child = boot()
    child.report()
    child.leave()
    assert child.end() == (0, "", "drained\n")


def test_leaves_hard_when_its_parent_is_gone_and_it_does_not_drain(boot: Boot) -> None:
    child = boot(then="threading.Event().wait()")
    child.report()
    child.leave()
    assert child.end() == (1, "", "")


def test_a_parent_that_reads_nothing_holds_up_no_child_that_beats(boot: Boot) -> None:
    child = boot(then='[parent.beat() for _ in range(10_000)]; print("went on", flush=True)')
    assert child.process.stderr is not None
    assert select.select([child.process.stderr], [], [], SECONDS)[0], "it is held up"
    assert child.process.stderr.readline() == b"went on\n"
    assert child.report() == Ready(task_classes=("drone-1",))
    assert child.report() == Beat()


def test_ctrl_c_is_for_the_parent_alone(boot: Boot) -> None:
    child = boot()
    child.report()
    child.process.send_signal(signal.SIGINT)
    child.process.send_signal(signal.SIGHUP)
    child.process.send_signal(signal.SIGTERM)
    assert child.end() == (0, "", "drained\n")


def test_a_second_sigterm_does_not_cut_the_drain_short(boot: Boot) -> None:
    child = boot(then="stops.wait(); parent.report(Ready(task_classes=('one',)))")
    child.report()
    child.process.send_signal(signal.SIGTERM)
    assert child.report() == Ready(task_classes=("one",))
    child.process.send_signal(signal.SIGTERM)
    assert child.end() == (0, "", "drained\n")


def test_what_a_task_prints_goes_to_stderr_at_once(boot: Boot) -> None:
    child = boot("print('by print'); os.write(1, b'by write\\n'); subprocess.run(['echo', 'by program'])")
    assert child.report() == Ready(task_classes=("drone-1",))
    child.leave()
    assert child.end() == (0, "", "by print\nby write\nby program\ndrained\n")


def test_a_program_that_a_task_starts_finds_stdin_empty_and_no_spec(boot: Boot) -> None:
    child = boot(f"subprocess.run(['sh', '-c', 'cat; echo [${SPEC_VARIABLE}]'])")
    child.report()
    child.leave()
    assert child.end() == (0, "", "[]\ndrained\n")


def test_reports_why_it_cannot_boot(boot: Boot) -> None:
    child = boot("raise TargetError('nothing there')")
    assert child.report() == Failed("TargetError", "nothing there")
    assert child.end() == (1, "", "")


def test_reports_an_unexpected_error_and_logs_its_traceback(boot: Boot) -> None:
    child = boot("1 / 0")
    assert child.report() == Failed("SwarmageError", "drone-1: ZeroDivisionError: division by zero")
    code, _, logged = child.end()
    assert code == 1
    assert "Traceback" in logged


def test_neither_a_child_nor_the_package_loads_what_only_the_cli_needs() -> None:
    for modules in ("swarmage", "swarmage.supervisor.child, swarmage.supervisor.drone_child"):
        program = f"import sys, {modules}; print(sorted({{'click', 'rich'}} & set(sys.modules)))"
        assert (
            subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False).stdout
            == "[]\n"
        )
