"""What cannot work ends soon, with one line and its exit code."""

from __future__ import annotations

import time

import pytest
from processes import Home, Run, Start

pytestmark = pytest.mark.acceptance


@pytest.mark.parametrize("argv", [["status"], ["send", "steps.add"], ["dead", "list"], ["drone", "steps"]])
def test_without_a_bus_every_command_ends_in_time(run: Run, home: Home, argv: list[str]) -> None:
    run("bus", "--listen", "nowhere")  # makes the home and its key, and no bus
    began = time.monotonic()
    result = run(*argv)
    assert time.monotonic() - began < 6
    assert (result.returncode, result.stdout) == (3, "")
    assert [line for line in result.stderr.splitlines() if line.startswith("swarmage: ")] == [
        result.stderr.splitlines()[-1]
    ]
    assert "secret" not in result.stderr


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("missing", "missing: No module named 'missing'"),
        ("broken", "broken: cannot be imported: RuntimeError: so it is (broken.py:3)"),
        ("idle", "idle: has no Workers"),
        ("steps:Nobody", "steps:Nobody: the module steps has no Nobody"),
    ],
)
@pytest.mark.parametrize("command", ["up", "drone"])
def test_a_target_that_holds_no_workers_stops_all_and_is_named(
    run: Run, command: str, target: str, reason: str
) -> None:
    result = run(command, target)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith(f"swarmage: {reason}")
    assert "Traceback" not in result.stderr


def test_a_concurrency_for_nobody_is_refused(run: Run) -> None:
    assert run("up", "steps", "-c", "Nobody=2").returncode == 2


def test_a_bus_of_its_own_takes_its_user_from_the_url(start: Start, run: Run, home: Home) -> None:
    bus = start("bus")
    bus.wait_for_line("^ready")
    assert run("status").returncode == 0
    bus.press_ctrl_c()
    assert bus.exit_code() == 0


def test_a_bus_that_listens_to_the_world_is_refused(run: Run) -> None:
    result = run("bus", "--listen", "0.0.0.0:0")
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("swarmage: ")


def test_up_without_a_target_is_only_the_bus(start: Start, run: Run) -> None:
    start("up").wait_for_line("^ready")
    assert run("status").stdout.endswith("no drones\n")


def test_without_a_url_each_home_gets_a_bus_and_a_user_of_its_own(start: Start, run: Run, home: Home) -> None:
    environment = {name: value for name, value in home.environment.items() if name != "SWARMAGE_URL"}
    other = {**environment, "SWARMAGE_HOME": str(home.folder.with_name("other"))}
    urls = [start("bus", env=env).wait_for_line("^ready: bus (.*), home")[1] for env in (environment, other)]
    assert len(set(urls)) == 2
    for env, url in zip((environment, other), urls, strict=True):
        assert url in run("status", env=env).stdout
