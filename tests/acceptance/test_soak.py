"""``python -m benchmarks.soak``: a short run is good, and the same run with a leak is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.soak.judging import Point, judge_all
from benchmarks.soak.swarm import LIMITS

pytestmark = pytest.mark.acceptance

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 240.0
SLACK = 20.0
"""So many times what is allowed: a run of half a minute is hardly warm, on a machine that does much else."""


def soak(*argv: str) -> tuple[int, dict[str, Any], str]:
    command = [sys.executable, "-m", "benchmarks.soak", "--minutes", "0.4", "--every", "1", "--rate", "100", "--json"]
    done = subprocess.run([*command, "--slack", str(SLACK), *argv], cwd=ROOT, capture_output=True, text=True,
                          timeout=SECONDS, check=False)  # fmt: skip
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


def test_a_short_soak_is_good_and_would_tell_of_a_leak() -> None:
    code, told, said = soak()
    assert (code, told["wrong"]) == (0, []), said
    tasks = told["tasks"]
    assert tasks["inserted"] == tasks["performed"] > 1500
    assert (tasks["lost"], tasks["performed twice"]) == (0, 0)
    assert tasks["replies"] >= tasks["inserted"] // 10
    series = {name: [Point(*point) for point in points] for name, points in told["series"].items()}
    whose = {name.partition(":")[0] for name in series}
    assert whose == {"bus", "supervisor", "drone 1", "drone 2", "client", "wait"}
    leaking = [Point(time, value + 10 * time) for time, value in series["bus: memory"]]
    verdicts = judge_all({**series, "bus: memory": leaking}, LIMITS, told["series"]["bus: memory"][4][0], SLACK)
    assert [verdict.name for verdict in verdicts if not verdict.good] == ["bus: memory"]


def test_a_gentle_mix_of_faults_loses_nothing() -> None:
    code, told, said = soak("--minutes", "0.3", "--faults", "--seed", "3")
    assert code == 0, said
    assert told["struck"]
    assert told["tasks"]["lost"] == 0
