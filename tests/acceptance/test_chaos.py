"""``swarmage chaos``: a short mix of all faults loses nothing, and what is lost is found."""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from processes import Home, Start, eventually

from swarmage.chaos.processes import marked

pytestmark = pytest.mark.acceptance

SECONDS = 300.0
"""Far more than a run takes, for a machine that does much else."""
TASKS = 800
FIXED = (28, 195, 518, 1410)
"""Seeds of short runs in which every fault strikes, on every machine: tests/unit/chaos/test_plan.py sees to that."""


def chaos(start: Start, *argv: str) -> tuple[int, dict[str, Any]]:
    process = start("chaos", "--json", *argv)
    code = process.exit_code(SECONDS)
    print(process.output)  # the seed is in it
    told: dict[str, Any] = json.loads(process.output.splitlines()[-1])
    return code, told


@pytest.mark.parametrize("seed", [*FIXED, None], ids=str)
def test_a_mix_of_all_faults_loses_nothing(start: Start, seed: int | None) -> None:
    number = random.SystemRandom().randrange(1 << 32) if seed is None else seed
    code, told = chaos(start, "--seed", str(number), "--tasks", str(TASKS))
    assert (code, told["lost"], told["good"]) == (0, 0, True)
    assert told["ok"] + len(told["unexpected"]) == told["confirmed"] <= told["attempted"] == TASKS
    assert told["faults"]
    assert told["folder"] is None


def test_rolling_restarts_perform_nothing_twice(start: Start) -> None:
    code, told = chaos(start, "--seed", "2", "--tasks", "1000", "--faults", "rolling")
    assert (code, told["ok"], told["duplicated"], told["lost"]) == (0, 1000, 0, 0)
    assert len(told["faults"]) == 3


def test_a_drone_that_is_stopped_until_others_have_its_tasks_loses_nothing(start: Start) -> None:
    code, told = chaos(start, "--seed", "1", "--tasks", "300", "--faults", "freeze")
    assert (code, told["lost"], told["unanswered"], told["miscounted"]) == (0, 0, {}, {})
    assert told["faults"]


def folder_of(line: re.Match[str]) -> Path:
    return Path(line[1])


def ends(folder: Path) -> int:
    """Return how often something came to its end in a run."""
    ledger = folder / "ledger"
    return ledger.read_bytes().count(b" done ") if ledger.exists() else 0


def test_tasks_that_a_bus_forgets_are_found_with_their_timelines(start: Start, home: Home) -> None:
    forgetful = ("bus", "--durability", "memory")
    bus = start(*forgetful)
    bus.wait_for_line("^ready")
    process = start("chaos", "--faults", "", "--tasks", "1500", "--url", home.url)
    folder = folder_of(process.wait_for_line(r"in (\S+)$"))
    eventually(lambda: ends(folder) > 300, SECONDS)
    bus.clean_up()
    start(*forgetful)
    code = process.exit_code(SECONDS)
    lost = re.search(r"^  lost +(\d+)$", process.output, re.MULTILINE)
    assert lost is not None, process.output
    assert (code, int(lost[1]) > 0) == (1, True)
    assert re.search(r"timeline of task \d+, .*:\n +\d+\.\d{3} s  attempted by client \d+\n", process.output)
    assert f"kept: {folder}" in process.output
    shutil.rmtree(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_processes_of_a_run(start: Start, number: signal.Signals) -> None:
    process = start("chaos", "--tasks", "5000", "--faults", "drone,supervisor")
    folder = folder_of(process.wait_for_line(r"in (\S+)$"))
    eventually(lambda: ends(folder) > 100, SECONDS)
    assert marked(folder / "ledger")
    process.send_signal(number)
    assert process.exit_code() == 130
    assert marked(folder / "ledger") == []
    assert not folder.exists()


def test_a_fault_that_is_not_there_is_refused_before_anything_starts(start: Start) -> None:
    process = start("chaos", "--faults", "drone,meteor")
    assert process.exit_code() == 2
    assert "there is no fault 'meteor'; there are: worker, drone, " in process.output


def test_a_bus_that_is_not_there_is_told_at_once(start: Start, home: Home) -> None:
    process = start("chaos", "--url", home.url)
    assert process.exit_code() == 3
    assert "swarmage: no bus answers at" in process.output
