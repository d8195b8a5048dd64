from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from swarmage import errors
from swarmage.bench.measure import Plan
from swarmage.bench.samples import Sample

from .fake_client import run


class Measured:
    """Stands for `measure`: what it was asked, and what it finds."""

    def __init__(self) -> None:
        self.plan = Plan()
        self.asked: dict[str, Any] = {}
        self.error: Exception | None = None

    def __call__(self, plan: Plan, seconds: float, **asked: Any) -> Iterator[Sample]:
        self.plan, self.asked = plan, {"seconds": seconds, **asked}
        for number in range(plan.rounds):
            rate = 1000.0 * (number + 1)
            yield Sample(
                question="drain", load="100 B, 1 drone", unit="tasks/s", value=rate, limit=4000.0, by="raw sockets",
                round=number,
            )  # fmt: skip
            if self.error is not None:
                raise self.error
            yield Sample(question="insert to result, p50", load="100/s offered", unit="ms", value=2.5, round=number)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Measured:
    fake = Measured()
    monkeypatch.setattr(importlib.import_module("swarmage.cli.bench"), "measure", fake)
    return fake


def test_the_table_has_medians_beside_what_is_possible(measured: Measured) -> None:
    lines = run("bench").stdout.splitlines()
    drain = next(line for line in lines if line.startswith("drain")).split()
    assert drain == [
        "drain",
        "100",
        "B,",
        "1",
        "drone",
        *["2,000", "tasks/s", "1,000", "3,000", "4,000", "0.50", "raw", "sockets"],
    ]
    waiting = next(line for line in lines if line.startswith("insert to result"))
    assert waiting.split()[-4:] == ["2.50", "ms", "2.50", "2.50"]
    assert "cores" in lines[0]


def test_json_has_the_machine_the_plan_all_samples_and_their_medians(measured: Measured) -> None:
    found = json.loads(run("bench", "--json", "--rounds", "2").stdout)
    assert set(found) == {"machine", "plan", "samples", "medians"}
    assert found["plan"]["rounds"] == 2
    assert [each["round"] for each in found["samples"]] == [0, 0, 1, 1]
    assert found["medians"][0]["ratio"] == pytest.approx(1500 / 4000)
    assert found["medians"][1]["ratio"] is None


def test_options_become_the_plan(measured: Measured, tmp_path: Path) -> None:
    result = run(
        "bench", "--only", "throughput", "--only", "backlog", "--rounds", "1", "--tasks", "500", "--size", "100",
        "--size", "65536", "--drones", "2", "--rate", "50", "--seconds", "0.5", "--backlog", "1000",
        "--data", str(tmp_path), "--timeout", "9",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert measured.plan == Plan(
        questions=("throughput", "backlog"), rounds=1, tasks=500, sizes=(100, 65_536), drones=(2,), rates=(50,),
        seconds=0.5, backlogs=(1000,),
    )  # fmt: skip
    assert measured.asked == {"seconds": 9.0, "guest": False, "folder": tmp_path}


def test_url_measures_the_bus_that_is_there(measured: Measured) -> None:
    run("bench", "--url")
    assert measured.asked["guest"] is True


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.DeadlineExceeded("the load test is not done in time"), 4),
        (errors.BusUnreachable("no bus"), 3),
        (errors.ConfigError("somebody else measures"), 2),
        (errors.SwarmageError("a drone ended"), 1),
    ],
)
def test_a_load_test_that_fails_says_why_and_prints_no_figures(
    measured: Measured, error: errors.SwarmageError, code: int
) -> None:
    measured.error = error
    result = run("bench", "--json")
    assert result.exit_code == code
    assert result.stdout == ""
    assert str(error) in result.stderr


def test_ctrl_c_is_130(measured: Measured) -> None:
    measured.error = KeyboardInterrupt()  # type: ignore[assignment]
    assert run("bench").exit_code == 130


@pytest.mark.parametrize("words", [("--rounds", "0"), ("--tasks", "99"), ("--only", "nothing"), ("--size", "0")])
def test_what_cannot_be_asked_is_refused(measured: Measured, words: tuple[str, str]) -> None:
    assert run("bench", *words).exit_code == 2
