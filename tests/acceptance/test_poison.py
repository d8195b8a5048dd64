"""Tasks that kill their process, or hold on to their thread for ever, and what becomes of their neighbours."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from processes import Home, Run, Start, Started, eventually

from swarmage import Client

pytestmark = pytest.mark.acceptance


def swarm(start: Start, processes: int) -> Started:
    start("bus").wait_for_line("^ready")
    drones = start("drone", "poison", "-p", str(processes))
    drones.wait_for_line("^ready")
    return drones


@pytest.fixture
def client(home: Home, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("SWARMAGE_HOME", str(home.folder))
    return Client(home.url)


def lines(ledger: Path, word: str) -> list[str]:
    text = ledger.read_text() if ledger.exists() else ""
    return [line.split()[1] for line in text.splitlines() if line.startswith(f"{word} ")]


def dead(run: Run) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = json.loads(run("dead", "list", "--json").stdout)
    return result


def ended(ledger: Path, run: Run) -> int:
    return len(set(lines(ledger, "done"))) + len(dead(run))


@pytest.mark.parametrize("seconds", [0.0, 0.02])
def test_a_task_that_kills_its_process_dies_alone(
    start: Start, run: Run, tmp_path: Path, client: Client, home: Home, seconds: float
) -> None:
    ledger = tmp_path / "ledger"
    start("bus").wait_for_line("^ready")
    with client:
        innocent = client.insert_many("poison.innocent", [(str(ledger), seconds)] * 100)
        poison = client.insert("poison.kill", str(ledger))
        innocent += client.insert_many("poison.innocent", [(str(ledger), seconds)] * 100)
    drones = start("drone", "poison", "-p", "2")
    began = time.monotonic()
    drones.wait_for_line(f"exited with 7 while it performed only poison.kill {poison.id}")
    eventually(lambda: set(lines(ledger, "done")) == {reply.id for reply in innocent})
    eventually(lambda: len(dead(run)) == 1)
    [letter] = dead(run)
    assert time.monotonic() - began < 25
    assert (letter["id"], letter["reason"], letter["attempts"]) == (poison.id, "crashed", 3)
    assert letter["host"]
    assert "3 times" in letter["message"]
    assert len(lines(ledger, "kill")) == 3
    assert "ALARM" not in drones.output


def test_a_segmentation_fault_is_a_crash_too(start: Start, run: Run, tmp_path: Path, client: Client) -> None:
    ledger = tmp_path / "ledger"
    swarm(start, 1)
    with client:
        poison = client.insert("poison.kill", str(ledger), "segfault")
        eventually(lambda: len(dead(run)) == 1)
        after = client.insert("poison.innocent", str(ledger))
        after.result(10)
    assert [(letter["id"], letter["reason"]) for letter in dead(run)] == [(poison.id, "crashed")]
    assert len(lines(ledger, "kill")) == 3


def test_a_task_whose_drones_are_killed_beside_others_is_not_blamed(
    start: Start, run: Run, tmp_path: Path, client: Client
) -> None:
    ledger = tmp_path / "ledger"
    drones = swarm(start, 1)
    with client:
        replies = client.insert_many("poison.innocent", [(str(ledger), 0.3)] * 4)
        eventually(lambda: len(lines(ledger, "begun")) == 4)
        for _ in range(3):  # each time at most one of them is alone
            before = len(lines(ledger, "begun"))  # a drone that is ready begins at once
            os.kill(drones.children()[-1], signal.SIGKILL)
            drones.wait_for_line("drone-1 ready")
            eventually(lambda before=before: len(lines(ledger, "begun")) > before or ended(ledger, run) == 4)  # type: ignore[misc]
        eventually(lambda: ended(ledger, run) == 4)
    assert len(dead(run)) <= 1
    assert {reply.id for reply in replies} >= set(lines(ledger, "done"))


def test_a_task_that_blocks_for_ever_ends_with_its_process_and_the_others_go_on(
    start: Start, run: Run, tmp_path: Path, client: Client, fifo: Path
) -> None:
    ledger = tmp_path / "ledger"
    drones = swarm(start, 1)
    with client:
        blocks = client.insert("poison.blocks", str(ledger), str(fifo))
        eventually(lambda: lines(ledger, "blocks"))
        long = client.insert_many("poison.innocent", [(str(ledger), 1.0)] * 6)
        drones.wait_for_line(
            rf"exited with 75 for the hard limit of poison\.blocks {blocks.id}; starts again in 0\.0 s"
        )
        for reply in long:
            reply.result(20)
        eventually(lambda: len(dead(run)) == 1)
    [letter] = dead(run)
    assert (letter["id"], letter["reason"], letter["kind"], letter["attempts"]) == (
        blocks.id,
        "failed",
        "TaskTimeout",
        2,
    )
    assert "hard_timeout of 0.6 s" in letter["message"]
    assert len(set(lines(ledger, "blocks"))) == 2
    assert "alone" not in drones.output
