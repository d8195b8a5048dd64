"""The processes of a run are found and ended by their ids, also those whose parents are gone."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from swarmage.chaos.ledger import LEDGER_VARIABLE
from swarmage.chaos.processes import Process, children, descendants, end_all, marked

FAMILY = """
import subprocess, sys
wait = "import threading; print('up', flush=True); threading.Event().wait(60)"
child = subprocess.Popen([sys.executable, "-c", wait])
child.wait(60)
"""


def test_the_descendants_of_a_process_are_found_and_end_with_the_run(tmp_path: Path) -> None:
    ledger, log = tmp_path / "ledger", tmp_path / "log"
    os.mkfifo(log)
    reader = subprocess.Popen(["/bin/cat", str(log)], stdout=subprocess.PIPE)
    parent = Process(["-c", FAMILY], {**os.environ, LEDGER_VARIABLE: str(ledger)}, log)
    try:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"up\n"
        [child] = children(parent.pid)
        assert descendants(parent.pid) == [child]
        assert sorted(marked(ledger)) == sorted([parent.pid, child])
        parent.kill()
        assert not parent.running
        assert marked(ledger) == [child]  # an orphan now
    finally:
        assert end_all(ledger, 30.0) == []
        reader.communicate(timeout=30)
    assert marked(ledger) == []


def test_orders_to_a_process_that_has_ended_are_lost(tmp_path: Path) -> None:
    process = Process(["-c", ""], os.environ, tmp_path / "log", orders=True)
    assert process.wait(30.0) == 0
    process.order("insert 5")
    process.kill()
    process.order("insert 6")
