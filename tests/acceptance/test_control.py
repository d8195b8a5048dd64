"""Control of real processes: cancel, pause, concurrency, drain, reload, stacks; and what of it survives kills."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from processes import WORKERS, Home, Run, Start, Started, eventually, is_gone

pytestmark = pytest.mark.acceptance


def up(start: Start, *argv: str, **settings: Any) -> Started:
    process = start("up", "steps", *argv, **settings)
    process.wait_for_line("^ready")
    return process


def send(run: Run, *argv: str) -> str:
    result = run("send", *argv)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def status(run: Run) -> Any:
    return json.loads(run("status", "--json").stdout)


def depth(run: Run, task_class: str) -> tuple[int, int, int]:
    """Return how many tasks of a class wait, are in flight and are delayed."""
    for queue in status(run)["queues"]:
        if queue["task_class"] == task_class:
            return queue["waiting"], queue["in_flight"], queue["delayed"]
    return 0, 0, 0


def pid_of(process: Started, name: str) -> int:
    return int(process.wait_for_line(rf"{name} started, pid (\d+)")[1])


def test_a_task_that_waits_stays_cancelled_when_bus_and_drones_are_killed(start: Start, run: Run, fifo: Path) -> None:
    bus = up(start)
    assert run("pause", "steps.hold").returncode == 0
    task = send(run, "steps.hold", str(fifo))
    assert run("cancel", task).stdout == "cancelled 1, for 1 d\n"
    for pid in (bus.pid, *bus.children()):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: all(map(is_gone, bus.children())))
    again = up(start)
    assert status(run)["paused"] == ["steps.hold"]  # it survived too
    assert depth(run, "steps.hold") == (1, 0, 0)
    assert run("resume", "steps.hold").returncode == 0
    again.wait_for_line(f"task steps.hold {task} is cancelled")
    eventually(lambda: depth(run, "steps.hold") == (0, 0, 0))
    assert "holding" not in again.output
    assert json.loads(run("dead", "list", "--json").stdout) == []


def test_a_delayed_task_is_cancelled(start: Start, run: Run, tmp_path: Path) -> None:
    process = up(start)
    path = tmp_path / "never"
    task = send(run, "steps.touch", str(path), "--delay", "4")  # a command takes a second or two
    assert run("cancel", task, "--json").returncode == 0
    process.wait_for_line(f"task steps.touch {task} is cancelled")
    assert not path.exists()


def test_who_waits_for_a_cancelled_task_is_told(start: Start, run: Run) -> None:
    up(start)
    waiting = start("send", "steps.spin", "--wait", "--json")
    eventually(lambda: depth(run, "steps.spin")[1] == 1)
    [worker] = [each for each in status(run)["drones"][0]["workers"] if each["state"] == "busy"]
    assert run("cancel", worker["task"]).returncode == 0
    assert waiting.exit_code() == 1
    assert '"type": "TaskCancelled"' in waiting.output


def test_a_cancelled_task_does_not_run_again_when_its_drone_is_killed_before_it_ends(
    start: Start, run: Run, fifo: Path
) -> None:
    process = up(start)
    task = send(run, "steps.hold", str(fifo))
    process.wait_for_line("^.*holding")  # in a call to C, which no cancellation ends
    assert run("cancel", task).returncode == 0
    os.kill(status(run)["drones"][0]["pid"], signal.SIGKILL)
    process.wait_for_line(f"task steps.hold {task} is cancelled")
    assert process.output.count("holding") == 1


def test_two_who_pause_at_once_both_do(start: Start, run: Run) -> None:
    up(start)
    pausing = [start("pause", f"steps.{name}") for name in ("add", "fail", "hold")]
    assert [process.exit_code() for process in pausing] == [0, 0, 0]
    assert status(run)["paused"] == ["steps.add", "steps.fail", "steps.hold"]
    text = run("status").stdout
    assert "paused: steps.add\npaused: steps.fail\npaused: steps.hold\n" in text


def test_the_number_of_workers_is_changed_in_all_drones_and_in_later_ones(start: Start, run: Run) -> None:
    process = up(start, "-p", "2")

    def workers() -> list[int]:
        return [len(drone["workers"]) for drone in status(run)["drones"]]

    assert workers() == [2, 2]
    assert run("concurrency", "Steps", "5").stdout == "Steps: 5 in each drone\n"
    eventually(lambda: workers() == [5, 5])
    os.kill(status(run)["drones"][0]["pid"], signal.SIGKILL)
    process.wait_for_line("^drone-. ready")
    eventually(lambda: workers() == [5, 5])
    assert run("concurrency", "Steps", "default").returncode == 0
    eventually(lambda: workers() == [2, 2])


def test_a_drained_drone_finishes_leaves_and_is_not_replaced(start: Start, run: Run, fifo: Path) -> None:
    process = up(start)
    task = send(run, "steps.hold", str(fifo))
    process.wait_for_line("holding")
    pid = status(run)["drones"][0]["pid"]
    answer = json.loads(run("drain", str(pid), "--json").stdout)
    assert (answer["pid"], answer["holding"]) == (pid, 1)
    other = send(run, "steps.add", "1", "2")
    process.wait_for_line("draining")
    fifo.write_text("go on")
    process.wait_for_line("drone-1 was drained")
    assert is_gone(pid)
    assert (depth(run, "steps.hold"), depth(run, "steps.add")) == ((0, 0, 0), (1, 0, 0)), (task, other)
    assert status(run)["drones"] == []
    bus = status(run)["bus"]["pid"]
    os.kill(bus, signal.SIGKILL)  # the drones start when a bus does, but for those that left for good
    process.wait_for_line("bus ready")
    assert status(run)["drones"] == []
    process.send_signal(signal.SIGTERM)
    assert process.exit_code() == 0


def test_a_supervisor_whose_drones_are_all_drained_ends_well(start: Start, run: Run) -> None:
    start("bus").wait_for_line("^ready")
    drones = start("drone", "steps")
    drones.wait_for_line("^ready")
    [drone] = status(run)["drones"]
    assert run("drain", drone["id"]).returncode == 0
    assert drones.exit_code() == 0
    missing = run("drain", drone["id"])
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "there is no drone" in missing.stderr


def test_the_stack_of_a_running_task_is_shown(start: Start, run: Run, fifo: Path) -> None:
    process = up(start)
    task = send(run, "steps.hold", str(fifo))
    process.wait_for_line("holding")
    pid = str(status(run)["drones"][0]["pid"])
    text = run("stack", pid).stdout
    assert f"worker Steps: steps.hold {task} for " in text
    assert "in hold\n    Path(fifo).read_text()\n" in text
    assert json.loads(run("stack", pid, "--json").stdout)["workers"][0]["task"] == task
    fifo.write_text("go on")


def test_top_prints_once_where_there_is_no_terminal(start: Start, run: Run) -> None:
    up(start)
    result = run("top")
    assert result.returncode == 0
    assert "Steps" in result.stdout
    assert "idle" in result.stdout
    assert json.loads(run("top", "--json").stdout)["drones"]


GOOD = """
from swarmage import Worker, ability

class Saying(Worker):
    @ability("saying.say")
    def say(self) -> str:
        return {text!r}
"""


def test_an_edit_replaces_the_drones_and_a_bad_one_does_not(start: Start, run: Run, home: Home, tmp_path: Path) -> None:
    module = tmp_path / "saying.py"
    module.write_text(GOOD.format(text="one"))
    process = start("up", str(module), "-p", "2", "--reload")
    process.wait_for_line("^ready")
    assert send(run, "saying.say", "--wait") == '"one"'
    before = {drone["pid"] for drone in status(run)["drones"]}

    module.write_text(GOOD.format(text="two"))  # of the same length
    for _ in range(2):
        process.wait_for_line("drone-. reloaded")
    assert send(run, "saying.say", "--wait") == '"two"'
    eventually(lambda: all(map(is_gone, before)))
    eventually(lambda: len(status(run)["drones"]) == 2)
    running = {drone["pid"] for drone in status(run)["drones"]}
    assert running.isdisjoint(before)

    module.write_text(GOOD.format(text="three") + "\n    def broken(:\n")
    line = process.wait_for_line("drone-1 is not reloaded, the one of before goes on: (.*)")[1]
    assert "SyntaxError" in line
    assert f"{module}:9" in line
    assert send(run, "saying.say", "--wait") == '"two"'
    assert {drone["pid"] for drone in status(run)["drones"]} == running

    module.write_text(GOOD.format(text="four"))
    for _ in range(2):
        process.wait_for_line("drone-. reloaded")
    assert send(run, "saying.say", "--wait") == '"four"'
    process.send_signal(signal.SIGTERM)
    assert process.exit_code() == 0
    assert all(map(is_gone, process.children()))


def test_a_task_that_runs_while_its_drone_is_reloaded_is_finished(start: Start, run: Run, fifo: Path) -> None:
    process = up(start, "--reload")
    waiting = start("send", "steps.hold", str(fifo), "--wait")
    process.wait_for_line("holding")
    [drone] = status(run)["drones"]
    os.utime(WORKERS / "steps.py")
    process.wait_for_line("drone-1 reloaded")
    assert send(run, "steps.add", "1", "2", "--wait") == "3"
    fifo.write_text("go on")
    assert waiting.exit_code() == 0
    assert waiting.output == str(drone["pid"])
    eventually(lambda: is_gone(drone["pid"]))


def test_a_second_up_in_a_folder_names_the_pid_of_the_first(start: Start, run: Run, home: Home) -> None:
    first = up(start)
    for command in ("up", "bus"):
        second = run(command)
        assert second.returncode == 2
        assert f"{home.folder / 'bus'} is in use by `swarmage up`, pid {first.pid}" in second.stderr


def test_a_dead_letter_may_be_abbreviated(start: Start, run: Run) -> None:
    up(start)
    assert run("send", "steps.fail", "no", "--wait").returncode == 1
    [letter] = json.loads(run("dead", "list", "--json").stdout)
    shown = run("dead", "show", letter["id"][:6]).stdout
    assert f"id:          {letter['id']}\n" in shown
    assert 'args:        ["no"]\n' in shown
    assert run("dead", "drop", letter["id"][:6]).stdout == "dropped 1\n"
