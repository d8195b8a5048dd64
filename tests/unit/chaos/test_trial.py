"""How the trials of benchmarks/chaos/ count, on ledgers written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.chaos.__main__ import table
from benchmarks.chaos.peers import OWN, PEERS, SQLITE
from benchmarks.chaos.trial import FAULTS, Outcome, Plan, Trial, applies

PLAN = Plan(tasks=4, seconds=0.1, strikes=1, drain=1.0)


def counted(tmp_path: Path, *lines: str, left: int) -> Outcome:
    peer = next(peer for peer in PEERS if peer.bus == OWN)
    (tmp_path / "ledger").write_text("".join(f"{line} 77\n" for line in lines))
    return Trial(peer, "python", tmp_path, PLAN)._count("worker", left)


def test_what_is_missing_is_stranded_as_far_as_its_bus_has_it_and_else_lost(tmp_path: Path) -> None:
    lines = [
        "0.2 attempted 0",
        "1.0 attempted 1",
        *(f"1.5 confirmed {number}" for number in range(4)),
        "1.6 attempted 4",
    ]
    outcome = counted(tmp_path, *lines, "2.0 begun 0", "2.5 done 0", "2.6 done 1", "2.9 done 1", left=1)
    assert (outcome.confirmed, outcome.done, outcome.stranded, outcome.lost) == (4, 2, 1, 1)
    assert (outcome.duplicated, outcome.seconds) == (1, 1.9)


@pytest.mark.parametrize("left", [0, 7])
def test_where_all_is_done_nothing_is_lost_or_stranded(tmp_path: Path, left: int) -> None:
    outcome = counted(tmp_path, "1.0 attempted 0", "1.1 confirmed 0", "1.2 done 0", left=left)
    assert (outcome.lost, outcome.stranded, outcome.duplicated) == (0, 0, 0)


def test_the_table_has_a_row_for_each_outcome(tmp_path: Path) -> None:
    outcome = counted(tmp_path, "1.0 attempted 0", "1.1 confirmed 0", left=0)
    head, row = table([outcome]).splitlines()
    assert head.split()[:2] == ["PEER", "FAULT"]
    assert row.split() == ["swarmage", "on", "own", "bus", "worker", "1", "1", "0", "0", "0.0"]


def test_a_file_has_no_process_that_could_be_killed() -> None:
    huey = next(peer for peer in PEERS if peer.bus == SQLITE)
    assert [fault for fault in FAULTS if not applies(huey, fault)] == ["bus"]
