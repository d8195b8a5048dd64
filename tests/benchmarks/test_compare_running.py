"""The programs of the comparison that need nothing installed, and what is made of their answers."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.compare.asking import Asking, Buses, Plan, _drained
from benchmarks.compare.peers import EMBEDDED, LIMITS, PEERS, SQLITE, Peer
from benchmarks.compare.programs.serving import BULK, ONE
from benchmarks.compare.records import DRAIN, LATENCIES
from benchmarks.compare.running import PeerFailed, Running
from swarmage.bench.swarm import Swarm, free_ports

SMALL = Plan(rounds=2, tasks=100, rate=50, timed=20)
BARE = next(limit for limit in LIMITS if limit.bus == SQLITE)


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return Running(sys.executable, BARE.program, {"BENCH_URL": str(tmp_path / "raw.db")}, tmp_path / "log")


def test_an_order_is_answered_with_its_seconds(running: Running) -> None:
    with running:
        assert running.ways == [ONE]
        assert running.order("insert", way=ONE, tasks=10)["seconds"] > 0
        assert running.order("drain", tasks=10)["seconds"] > 0


def test_an_order_that_cannot_be_followed_is_a_failure_and_not_the_end(running: Running) -> None:
    with running:
        with pytest.raises(PeerFailed, match="KeyError"):
            running.order("insert", way="by pigeon", tasks=10)
        assert running.order("insert", way=ONE, tasks=10)["seconds"] > 0


def test_a_program_that_ends_says_what_it_said_last(tmp_path: Path) -> None:
    with pytest.raises(PeerFailed, match="No module named") as failure:
        Running(sys.executable, "missing_program.py", {}, tmp_path / "log")
    assert "has ended" in str(failure.value)


def test_everybody_is_asked_in_each_round_and_another_one_begins(tmp_path: Path) -> None:
    others = [replace(BARE, name=f"bare {number}") for number in range(3)]
    asking = Asking(SMALL, others, Buses(urls={SQLITE: str(tmp_path)}, raw={}), tmp_path)
    turns: list[tuple[str, int]] = []
    records = list(asking.ask(lambda peer, number: turns.append((peer.name, number))))
    assert [name for name, number in turns if number == 0] == ["bare 0", "bare 1", "bare 2"]
    assert [name for name, number in turns if number == 1] == ["bare 1", "bare 2", "bare 0"]
    assert {(record.name, record.question, record.round) for record in records} == {
        (peer.name, question, number) for peer in others for question in (ONE, DRAIN) for number in range(2)
    }
    assert all(record.value == pytest.approx(record.tasks / record.raw[0]) for record in records)
    assert asking.failures == {}


def test_who_fails_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    broken = replace(BARE, name="broken", program="missing_program.py")
    asking = Asking(SMALL, [broken, BARE], Buses(urls={SQLITE: str(tmp_path)}, raw={}), tmp_path)
    records = list(asking.ask(lambda peer, number: None))
    assert {record.name for record in records} == {BARE.name}
    assert list(asking.failures) == [broken.title]
    assert "No module named" in asking.failures[broken.title]


@pytest.mark.acceptance
def test_swarmage_answers_every_question_on_its_own_bus(tmp_path: Path) -> None:
    peers: list[Peer] = [next(each for each in (*PEERS, *LIMITS) if each.title == title) for title in ON_OUR_BUS]
    with Swarm(free_ports(1)[0], tmp_path) as swarm:
        swarm.start_bus()
        asking = Asking(replace(SMALL, rounds=1), peers, Buses(urls={EMBEDDED: swarm.address.url}, raw={}), tmp_path)
        records = list(asking.ask(lambda peer, number: None))
    assert asking.failures == {}
    assert asking.versions.keys() == {"swarmage"}
    ours = [record for record in records if record.name == "swarmage"]
    assert [record.question for record in ours] == [BULK, ONE, DRAIN, *LATENCIES]
    assert [record.question for record in records if record.name != "swarmage"] == [BULK, ONE, DRAIN]
    assert len(next(record for record in ours if record.question == LATENCIES[0]).raw) == SMALL.timed
    assert all(record.value > 0 for record in records)


ON_OUR_BUS = (f"swarmage on {EMBEDDED}", f"raw sockets on {EMBEDDED}")


def test_tasks_that_were_performed_twice_make_no_rate() -> None:
    assert _drained({"seconds": 0.5, "tasks": 100}, 100) == 0.5
    with pytest.raises(PeerFailed, match="of 100 tasks 101 were performed"):
        _drained({"seconds": 0.5, "tasks": 101}, 100)
