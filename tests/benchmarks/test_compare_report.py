from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.compare import environments, report
from benchmarks.compare.environments import STAMP, NotInstalled
from benchmarks.compare.peers import EMBEDDED, LIMITS, NODE, PEERS, RABBITMQ, REDIS
from benchmarks.compare.programs.serving import BULK, LOOSE, ONE
from benchmarks.compare.records import DRAIN, Comparison, Record, load, rates, save
from benchmarks.compare.running import PROGRAMS, ROOT
from benchmarks.pages import marks, replaced

PAGE = ROOT / "docs" / "comparison.md"


def record(name: str, bus: str, question: str, *values: float) -> list[Record]:
    unit = "ms" if question.startswith("p") else "tasks/s"
    return [
        Record(name=name, bus=bus, question=question, unit=unit, value=value, round=number, tasks=100, raw=[1.0])
        for number, value in enumerate(values)
    ]


FOUND = Comparison(
    machine={"cores": "2"},
    plan={"rounds": 3, "tasks": 5000, "rate": 100, "redis_fsync": "everysec"},
    versions={"Redis": "7", "celery": "5"},
    records=[
        *record("swarmage", EMBEDDED, BULK, 20_000, 40_000, 30_000),
        *record("swarmage", EMBEDDED, ONE, 700, 900, 800),
        *record("swarmage", EMBEDDED, DRAIN, 30_000, 30_000, 30_000),
        *record("swarmage", EMBEDDED, "p50", 1.0, 3.0, 2.0),
        *record("raw sockets", EMBEDDED, BULK, 60_000, 60_000, 60_000),
        *record("raw sockets", EMBEDDED, DRAIN, 40_000, 40_000, 40_000),
        *record("Celery", RABBITMQ, ONE, 1500, 1000, 2000),
        *record("Celery", RABBITMQ, LOOSE, 3000, 3000, 3000),
        *record("Celery", RABBITMQ, DRAIN, 2000, 2000, 2000),
        *record("Celery", RABBITMQ, "p50", 4.0, 4.0, 4.0),
        *record("Celery", RABBITMQ, "p99", 9.0, 9.0, 9.0),
    ],
    failures={"RQ on Redis": "it ended"},
)


def rows(text: str, title: str) -> list[list[str]]:
    """Return the cells of each row of that title, in the order of the tables."""
    lines = [line for line in text.splitlines() if line.startswith(f"| {title} |")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_tables_have_medians_ratios_and_parts_of_the_limit() -> None:
    text = report.tables(FOUND)
    ours, celery = rows(text, f"swarmage on {EMBEDDED}"), rows(text, f"Celery on {RABBITMQ}")
    assert ours[0][1:] == ["30,000 (20,000 to 40,000)", "800 (700 to 900)", "", "30,000 (30,000 to 30,000)"]
    assert ours[1][1:] == ["2.00", "", ""]
    assert ours[2][1:] == ["0.50", "", "0.75"]  # of the raw sockets
    assert celery[0][1:] == ["", "1,500 (1,000 to 2,000)", "3,000 (3,000 to 3,000)", "2,000 (2,000 to 2,000)"]
    assert celery[2][1:] == ["20.0", "0.53", "15.0", "0.50", ""]  # ours as a multiple: the unconfirmed does not count


def test_who_failed_is_named_beside_the_tables() -> None:
    assert "RQ on Redis failed in this run, so figures of it are missing." in report.tables(FOUND)


def test_what_is_kept_is_what_was_found(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "comparison.json"
    save(FOUND, path)
    assert load(path) == FOUND


def test_no_time_is_no_rate() -> None:
    assert rates(100, 0.5) == 200
    with pytest.raises(ValueError, match="ask for more tasks"):
        rates(100, 0.0)


def test_the_page_tells_the_configuration_of_everybody() -> None:
    page = PAGE.read_text()
    for peer in (*PEERS, *LIMITS):
        assert f"| {peer.title} | {peer.note} |" in page
    replaced(page, report.MARKED, "it has its marks")


def test_each_peer_has_its_program_and_no_two_peers_disagree_about_an_environment() -> None:
    made: dict[str, tuple[str, ...]] = {}
    for peer in (*PEERS, *LIMITS):
        assert (PROGRAMS / peer.program).exists()
        assert bool(peer.environment) == bool(peer.packages)
        assert made.setdefault(peer.environment, peer.packages) == peer.packages
    assert {limit.bus for limit in LIMITS} == {peer.bus for peer in PEERS}


def test_tables_and_plots_are_drawn_of_what_is_kept(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    page = tmp_path / "page.md"
    page.write_text("".join(marks(report.MARKED)))
    save(FOUND, tmp_path / "comparison.json")
    report.write(FOUND, tmp_path, page, tmp_path)
    for name in report.PLOTS:
        drawn = (tmp_path / name).read_text()
        assert drawn.startswith("<?xml")
        assert f"Celery on {RABBITMQ}" in drawn
        assert f"{tmp_path.name}/{name}" in page.read_text()


class Installs:
    """Stands for pip and npm."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.commands: list[list[str]] = []
        self.code = 0
        monkeypatch.setattr(environments.subprocess, "run", self._run)
        monkeypatch.setattr(environments.venv, "create", lambda folder, with_pip: None)
        monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")

    def _run(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        return subprocess.CompletedProcess(command, self.code, "", "no such package")


@pytest.fixture
def installs(monkeypatch: pytest.MonkeyPatch) -> Installs:
    return Installs(monkeypatch)


def test_an_environment_is_made_once(tmp_path: Path, installs: Installs) -> None:
    environments.prepare(tmp_path, [peer for peer in PEERS if peer.name == "Celery"])
    environments.prepare(tmp_path, PEERS[:4])
    assert len(installs.commands) == 1
    assert installs.commands[0][1:] == ["-m", "pip", "install", "--quiet", "celery[redis]>=5.5,<6"]


def test_an_environment_of_something_else_is_made_again(tmp_path: Path, installs: Installs) -> None:
    environments.make(tmp_path / "one", ("thing>=1",))
    (tmp_path / "one" / "old").touch()
    environments.make(tmp_path / "one", ("thing>=2",))
    assert [command[-1] for command in installs.commands] == ["thing>=1", "thing>=2"]
    assert not (tmp_path / "one" / "old").exists()


def test_an_environment_that_could_not_be_made_is_tried_again(tmp_path: Path, installs: Installs) -> None:
    installs.code = 1
    with pytest.raises(NotInstalled, match="no such package"):
        environments.make(tmp_path / "one", ("thing",))
    assert not (tmp_path / "one" / STAMP).exists()
    installs.code = 0
    environments.make(tmp_path / "one", ("thing",))
    assert (tmp_path / "one" / STAMP).exists()


def test_packages_of_node_come_by_npm(tmp_path: Path, installs: Installs) -> None:
    environments.prepare(tmp_path, [peer for peer in PEERS if peer.environment == NODE])
    assert installs.commands[0][:2] == ["/usr/bin/npm", "install"]


def test_redis_is_said_to_promise_less_where_it_does() -> None:
    assert re.search(r"everysec.*power loss", PAGE.read_text())
    assert any(peer.bus == REDIS for peer in PEERS)
