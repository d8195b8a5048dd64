from __future__ import annotations

import os
import subprocess
import sys

import pytest

from swarmage.drone.processes import memory


def test_the_memory_of_a_process_is_told_alike_by_both_who_know() -> None:
    here = memory.resident_bytes(os.getpid())
    assert 1_000_000 < here < 10_000_000_000
    assert memory._asked_of_ps(os.getpid()) == pytest.approx(here, rel=0.2)


def test_who_is_gone_has_none() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(30)
    assert memory.resident_bytes(process.pid) == memory._asked_of_ps(process.pid) == 0
