"""A wall clock that can be set wrong while a process runs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from swarmage.chaos import skewed
from swarmage.chaos.skewed import SkewedClock, read_clock, set_clock


def test_a_clock_that_nobody_has_set_is_right(tmp_path: Path) -> None:
    assert read_clock(tmp_path / "clock") == 0.0
    assert abs(SkewedClock(tmp_path / "clock").wall() - time.time()) < 5


def test_a_clock_jumps_and_jumps_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skewed, "LOOK_SECONDS", 0.0)
    clock = SkewedClock(tmp_path / "clock")
    set_clock(tmp_path / "clock", -3600.0)
    assert abs(clock.wall() - time.time() + 3600) < 5
    set_clock(tmp_path / "clock", 0.0)
    assert abs(clock.wall() - time.time()) < 5
