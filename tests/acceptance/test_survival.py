"""What happens to running tasks, and to processes, when some of them end."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from processes import Run, Start, Started, eventually, is_gone

pytestmark = pytest.mark.acceptance


def up(start: Start, *argv: str) -> Started:
    process = start("up", "steps", *argv)
    process.wait_for_line(r"^ready")
    return process


def hold_a_task(process: Started, run: Run, fifo: Path) -> None:
    assert run("send", "steps.hold", str(fifo)).returncode == 0
    process.wait_for_line("^holding")


def nothing_is_left(process: Started) -> None:
    assert len(process.children()) >= 2
    eventually(lambda: all(is_gone(pid) for pid in process.children()))


def unfinished(run: Run) -> int:
    """Return how many held tasks the bus still has."""
    queues = json.loads(run("status", "--json").stdout)["queues"]
    return sum(queue["waiting"] + queue["in_flight"] for queue in queues if queue["task_class"] == "steps.hold")


@pytest.mark.parametrize("how", ["SIGTERM", "Ctrl-C"])
def test_a_stop_lets_the_running_task_finish_and_leaves_no_process(
    start: Start, run: Run, fifo: Path, how: str
) -> None:
    process = up(start, "-p", "2")
    hold_a_task(process, run, fifo)
    if how == "Ctrl-C":
        process.press_ctrl_c()
    else:
        process.send_signal(signal.SIGTERM)
    process.wait_for_line("draining")
    fifo.write_text("go on")
    assert process.exit_code() == 0
    nothing_is_left(process)
    start("bus").wait_for_line("^ready")
    assert unfinished(run) == 0


def test_a_second_signal_aborts_and_the_task_is_run_again_later(start: Start, run: Run, fifo: Path) -> None:
    process = up(start)
    hold_a_task(process, run, fifo)
    process.send_signal(signal.SIGTERM)
    process.wait_for_line("draining")
    process.send_signal(signal.SIGTERM)
    assert process.exit_code(timeout=10) == 1
    nothing_is_left(process)
    up(start).wait_for_line("^holding")


def test_nothing_is_left_when_the_supervisor_is_killed_and_the_running_task_is_finished(
    start: Start, run: Run, fifo: Path
) -> None:
    process = up(start, "-p", "2")
    hold_a_task(process, run, fifo)
    process.send_signal(signal.SIGKILL)
    process.wait_for_line(r"drone-\d.*draining")
    fifo.write_text("go on")
    nothing_is_left(process)
    start("bus").wait_for_line("^ready")
    assert unfinished(run) == 0


def test_a_drone_that_is_killed_is_replaced_and_its_task_is_run_again(start: Start, run: Run, fifo: Path) -> None:
    process = up(start)
    bus, drone = process.children()
    waiting = start("send", "steps.hold", str(fifo), "--wait")
    process.wait_for_line("^holding")
    os.kill(drone, signal.SIGKILL)
    replaced = int(process.wait_for_line(r"drone-1 started, pid (\d+)")[1])
    process.wait_for_line("^holding")
    fifo.write_text("go on")
    assert waiting.wait_for_line(r"^\d+$")[0] == str(replaced)
    assert waiting.exit_code() == 0
    assert not is_gone(bus)


def test_a_bus_that_is_killed_is_replaced_and_the_drones_come_back(start: Start, run: Run) -> None:
    process = up(start)
    bus, drone = process.children()
    os.kill(bus, signal.SIGKILL)
    process.wait_for_line("bus ready")
    assert run("send", "steps.add", "1", "2", "--wait", "--timeout", "20").stdout == "3\n"
    assert not is_gone(drone)
