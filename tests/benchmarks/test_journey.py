"""The way of one task, watched in a real swarm."""

from __future__ import annotations

import pytest

from benchmarks import journey, journey_marks
from swarmage.bus import connection
from swarmage.client.replies import Replies


@pytest.fixture
def unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have everything of this process as it was when the test is over."""
    for owner, name in ((connection._Transport, "receive"), (connection.Connection, "write"), (Replies, "_receive")):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    monkeypatch.setattr(journey_marks, "marks", journey_marks.marks[:])
    monkeypatch.setattr(journey, "marks", journey_marks.marks)


@pytest.mark.usefixtures("unwatched")
def test_every_line_is_passed_in_order() -> None:
    tasks, cpu = journey.travel(50, 0.6)
    assert cpu.keys() == {"bus", "drone", "client"}
    assert len(tasks) == 27  # of 30, without the first tenth
    for passed in tasks:
        times = [passed["due"], *(passed[line] for line in journey.LINES)]
        assert times == sorted(times)
        assert passed["due"] < passed["confirmed"] < passed["result"]
