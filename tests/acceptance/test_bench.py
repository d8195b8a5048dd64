"""`swarmage bench` with real processes: every question is answered, and nothing is left behind, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from processes import Home, Start, eventually, tasks_left

from swarmage import Client
from swarmage.bench.measure import QUESTIONS, Plan

pytestmark = pytest.mark.acceptance

SMALL = ("--rounds", "1", "--tasks", "1000", "--rate", "50", "--seconds", "0.4")
SECONDS = 240.0


@pytest.fixture
def environment(home: Home, tmp_path: Path) -> dict[str, str]:
    """That of somebody who has no swarm here; what is temporary is found again in a folder of its own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    named = ("SWARMAGE_URL", "SWARMAGE_HOME")
    kept = {name: value for name, value in home.environment.items() if name not in named}
    return kept | {"TMPDIR": str(folder)}


def bench(environment: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "swarmage", "bench", *words]
    return subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def processes_in(folder: Path) -> list[int]:
    """Return the processes that have a state folder in there."""
    mark, found = f"SWARMAGE_HOME={folder}".encode(), []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes():
                found.append(int(path.parent.name))
        except (OSError, ValueError):
            continue
    return found


def check_nothing_is_left(environment: Mapping[str, str]) -> None:
    folder = Path(environment["TMPDIR"])
    assert list(folder.iterdir()) == []
    assert processes_in(folder) == []


def test_every_question_is_answered_and_nothing_is_left(environment: dict[str, str]) -> None:
    result = bench(environment, "--json", *SMALL, "--drones", "1", "--drones", "2")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    samples = found["samples"]
    assert len(samples) == Plan(rounds=1, drones=(1, 2), rates=(50,)).samples
    assert all(sample["value"] > 0 for sample in samples)
    answered = {(sample["question"], sample["load"]) for sample in samples}
    assert {
        ("insert", "100 B, 1 drone"),
        ("drain", "100 B, 2 drones"),
        ("insert to start, p99", "50/s offered"),
    } <= answered
    ideal = [sample for sample in samples if sample["question"] == "perform"]
    assert len(ideal) == 2
    assert all(sample["value"] <= sample["limit"] * 1.02 for sample in ideal)
    assert all(each["ratio"] for each in found["medians"] if each["limit"])
    check_nothing_is_left(environment)


def test_a_backlog_is_drained(environment: dict[str, str]) -> None:
    result = bench(environment, "--only", "backlog", "--backlog", "3000", "--rounds", "1", "--json")
    assert result.returncode == 0, result.stderr
    assert [sample["load"] for sample in json.loads(result.stdout)["samples"]] == [
        "3,000 waiting",
        "100 B, 3,000 waiting",
    ]
    check_nothing_is_left(environment)


def test_time_that_is_over_is_exit_code_4_and_nothing_is_left(environment: dict[str, str]) -> None:
    result = bench(environment, "--timeout", "2", "--only", "work", "--rounds", "50")
    assert result.returncode == 4, result.stderr
    assert "in time" in result.stderr
    check_nothing_is_left(environment)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_interrupts_it_finds_nothing_left(
    environment: dict[str, str], start: Start, number: signal.Signals
) -> None:
    process = start("bench", "--rounds", "50", env=environment)
    folder = Path(environment["TMPDIR"])
    eventually(
        lambda: len(processes_in(folder)) >= 3, SECONDS
    )  # itself is not one of them: a bus, a supervisor and a drone
    process.send_signal(number)
    assert process.exit_code(90) == 130
    check_nothing_is_left(environment)


def test_the_bus_of_somebody_else_is_as_it_was(home: Home, start: Start, client: Client) -> None:
    start("bus").wait_for_line("ready")
    client.insert_many("some.thing", range(3), reply=False)
    result = bench(home.environment, "--url", "--only", "throughput", "--json", *SMALL)
    assert result.returncode == 0, result.stderr
    assert {sample["question"] for sample in json.loads(result.stdout)["samples"]} > {"insert", "drain", "both"}
    assert tasks_left(client) == 3
    assert client.status()["drones"] == []


def test_tasks_of_an_interrupted_run_do_not_stay_on_the_bus_of_somebody_else(
    home: Home, start: Start, client: Client
) -> None:
    start("bus").wait_for_line("ready")
    process = start("bench", "--url", "--only", "backlog", "--backlog", "200000", "--rounds", "1")
    eventually(lambda: tasks_left(client) > 2000, SECONDS)
    process.send_signal(signal.SIGTERM)
    assert process.exit_code(90) == 130
    assert tasks_left(client) == 0


def test_the_questions_are_those_of_the_help() -> None:
    help_text = subprocess.run(
        [sys.executable, "-m", "swarmage", "bench", "--help"], capture_output=True, text=True, timeout=60, check=True,
        env={**os.environ, "COLUMNS": "200"},
    ).stdout  # fmt: skip
    assert all(question in help_text for question in QUESTIONS)
