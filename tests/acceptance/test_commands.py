"""The commands against a real bus and real drones."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from processes import DEADLINE, Home, Run, Start

pytestmark = pytest.mark.acceptance


@pytest.fixture(autouse=True)
def swarm(start: Start) -> None:
    start("up", "steps").wait_for_line(r"^ready")


def test_a_task_is_sent_and_its_result_printed(run: Run) -> None:
    sent = run("send", "steps.add", "1", "b=2", "--wait")
    assert (sent.returncode, sent.stdout, sent.stderr) == (0, "3\n", "")


def test_a_task_is_sent_without_waiting(run: Run) -> None:
    sent = run("send", "steps.add", "1", "2", "--json")
    assert sent.returncode == 0
    assert list(json.loads(sent.stdout)) == ["id"]


def test_status_tells_of_bus_queues_and_drones(run: Run, home: Home) -> None:
    found = json.loads(run("status", "--json").stdout)
    assert found["bus"]["url"] == home.url.replace("secret", "***")
    queues = {queue["task_class"]: queue["consumers"] for queue in found["queues"]}
    assert queues["steps.add"] == 1
    (drone,) = found["drones"]
    assert [worker["state"] for worker in drone["workers"]] == ["idle", "idle"]
    text = run("status").stdout
    assert "steps.add" in text
    assert "secret" not in text


def test_a_failed_task_is_exit_code_1_and_a_dead_letter(run: Run) -> None:
    failed = run("send", "steps.fail", "no \x1b good", "--wait")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr == "swarmage: ValueError: no \\x1b good\n"
    (letter,) = json.loads(run("dead", "list", "--json").stdout)
    assert (letter["task_class"], letter["kind"], letter["attempts"]) == ("steps.fail", "ValueError", 1)
    shown = run("dead", "show", letter["id"])
    assert shown.returncode == 0
    assert "Traceback" in shown.stdout
    assert "\x1b" not in shown.stdout


def test_a_task_is_sent_with_retries_and_a_deadline_of_its_own(run: Run) -> None:
    assert run("send", "steps.fail", "again", "--retries", "2", "--backoff", "0", "--wait").returncode == 1
    late = run("send", "steps.spin", "--deadline", "0.5", "--wait")
    assert (late.returncode, late.stderr.partition(":")[2][:13]) == (1, " TaskTimeout:")
    letters = json.loads(run("dead", "list", "--json").stdout)
    assert {letter["task_class"]: letter["attempts"] for letter in letters} == {"steps.fail": 3, "steps.spin": 1}


def test_a_dead_letter_is_retried_with_success(run: Run, tmp_path: Path) -> None:
    run("send", "steps.fail_unless", str(tmp_path / "file"), "--wait")
    (letter,) = json.loads(run("dead", "list", "--json").stdout)
    (tmp_path / "file").write_text("here now")
    assert run("dead", "retry", letter["id"]).stdout == "retried 1\n"
    assert run("dead", "list").stdout == "no dead letters\n"


def test_dead_letters_are_dropped(run: Run) -> None:
    for _ in range(2):
        run("send", "steps.fail", "x", "--wait")
    first, second = json.loads(run("dead", "list", "--json").stdout)
    assert json.loads(run("dead", "drop", first["id"], "--json").stdout) == [first["id"]]
    assert [letter["id"] for letter in json.loads(run("dead", "list", "--json").stdout)] == [second["id"]]
    assert run("dead", "drop", "--all").stdout == "dropped 1\n"
    assert run("dead", "drop", first["id"]).returncode == 2


def test_a_task_that_nobody_performs_says_so_after_its_timeout(run: Run) -> None:
    sent = run("send", "nobody.does", "--wait", "--timeout", "1")
    assert sent.returncode == 4
    assert "no drone performs the task class nobody.does" in sent.stderr
    assert "nobody performs it" in run("status").stdout


def test_a_wrong_passcode_is_exit_code_3_and_one_line(run: Run, home: Home) -> None:
    environment = {**home.environment, "SWARMAGE_URL": home.url.replace("secret", "guessed")}
    for argv in (["status"], ["send", "steps.add"], ["dead", "list"]):
        refused = run(*argv, env=environment)
        assert (refused.returncode, refused.stdout) == (3, "")
        assert refused.stderr.count("\n") == 1
        assert "guessed" not in refused.stderr
    assert run("drone", "steps", env=environment).returncode == 3


def test_clients_in_the_same_home_find_the_bus_without_a_url(run: Run, home: Home) -> None:
    environment = {name: value for name, value in home.environment.items() if name != "SWARMAGE_URL"}
    assert run("send", "steps.add", "1", "2", "--wait", env=environment).stdout == "3\n"


def test_a_second_bus_on_the_same_port_or_data_is_refused(run: Run, home: Home) -> None:
    assert run("bus").returncode == 2
    second = run("bus", "--listen", "127.0.0.1:0")
    assert second.returncode == 2
    assert str(home.folder / "bus") in second.stderr


@pytest.mark.parametrize("way", ["q", "ctrl-c"])
def test_top_in_a_terminal_goes_on_until_it_is_ended(home: Home, way: str) -> None:
    ours, theirs = pty.openpty()
    environment = {**home.environment, "TERM": "xterm"}
    top = subprocess.Popen(
        [sys.executable, "-m", "swarmage", "top"], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    seen, twice = b"", threading.Event()

    def read() -> None:
        nonlocal seen
        try:
            while data := os.read(ours, 4096):
                seen += data
                if b"messages/s in" in seen:  # which only a second look can tell
                    twice.set()
        except OSError:
            return  # the terminal is gone with who used it

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert twice.wait(DEADLINE), seen
        if way == "q":
            os.write(ours, b"q")
        else:
            top.send_signal(signal.SIGINT)
        assert top.wait(DEADLINE) == (0 if way == "q" else 130)
    finally:
        top.kill()
        top.wait()
        reader.join(DEADLINE)
        os.close(ours)
