"""A thousand coroutines in one drone process that is killed."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from processes import Start, drone_pids, eventually, written

from swarmage import Client

pytestmark = pytest.mark.acceptance

TASKS = 1000


def test_killing_a_drone_in_the_middle_of_a_thousand_coroutines_loses_none(
    start: Start, client: Client, tmp_path: Path
) -> None:
    ledger, begun = tmp_path / "ledger", tmp_path / "ledger.begun"
    start("up", "sleepers", "-p", "1").wait_for_line("^ready")
    eventually(lambda: drone_pids(client))
    (first,) = drone_pids(client)
    tasks = [(str(ledger), 3.0)] * TASKS
    ids = {reply.id for reply in client.insert_many("sleeper.doze", tasks, reply=False)}
    eventually(lambda: len(written(begun)) == TASKS)  # all at once: in a thousand slots
    os.kill(first, signal.SIGKILL)
    eventually(lambda: set(written(ledger)) == ids, 60)
    again = Counter(written(begun))
    assert set(again) == ids
    assert sum(again.values()) > TASKS  # those that were lost with the drone were begun again, by its successor
    eventually(lambda: all(not queue["in_flight"] + queue["waiting"] for queue in client.status()["queues"]))


def test_a_drain_finishes_a_thousand_coroutines(start: Start, client: Client, tmp_path: Path) -> None:
    ledger, begun = tmp_path / "ledger", tmp_path / "ledger.begun"
    process = start("up", "sleepers", "-p", "1")
    process.wait_for_line("^ready")
    ids = {reply.id for reply in client.insert_many("sleeper.doze", [(str(ledger), 2.0)] * TASKS, reply=False)}
    eventually(lambda: len(written(begun)) == TASKS)
    process.send_signal(signal.SIGTERM)
    assert process.exit_code() == 0
    assert written(ledger) == Counter(ids)
