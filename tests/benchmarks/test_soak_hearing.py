"""What tasks tell the soak: their waits, which are lost, and which were performed twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from benchmarks.soak.client import KINDS, task
from benchmarks.soak.heard import Listener, Teller

SECONDS = 30.0


def test_waits_losses_and_repetitions_are_counted(tmp_path: Path) -> None:
    with Listener(tmp_path) as listener, closing(Teller()) as teller:
        for number in (0, 1, 1, 3):
            teller.begun(number, 0.0 if number == 3 else time.monotonic() - 7)
            teller.done(number)
        wait_until(lambda: listener.repeated() == 1 and listener.performed() == 3)
        assert listener.missing(4) == 1
        assert listener.missing(4, {2}) == 0
        waits = listener.waits()
        assert len(waits) == 3
        assert all(7 <= wait < 7 + SECONDS for wait in waits)
        assert listener.waits() == []


def wait_until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not check():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def test_each_hundred_tasks_have_all_kinds_in_their_shares() -> None:
    made = [task(number, 1.0) for number in range(300, 400)]
    assert {each.task_class for each in made} == {*KINDS} - {"soak.delayed"}
    assert sum(1 for each in made if each.delay) == KINDS.count("soak.delayed")
    assert sum(1 for each in made if each.task_class == "soak.tree") == KINDS.count("soak.tree")
