from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from benchmarks.compare.programs import counting
from benchmarks.compare.programs.counting import FOLDER, count, counted, note, noted


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setattr(counting, "_slot", [])
    return tmp_path


def test_what_several_threads_count_is_added_up(folder: Path) -> None:
    before = time.monotonic()
    together = threading.Barrier(4)  # so that no two of them have the same thread's number

    def perform() -> None:
        together.wait(30)
        for _ in range(1000):
            count()
        together.wait(30)

    threads = [threading.Thread(target=perform) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    found = counted(folder)
    assert found.tasks == 4000
    assert before <= found.first <= found.last <= time.monotonic()


def test_where_nothing_was_performed_nothing_is_counted(folder: Path) -> None:
    (folder / "1-1.count").write_bytes(b"half")
    assert counted(folder).tasks == 0
    assert noted(folder) == []


def test_how_late_a_task_begins_is_written_down(folder: Path) -> None:
    note(time.monotonic() - 0.5)
    note(time.monotonic())
    late, soon = noted(folder)
    assert late >= 500_000
    assert 0 <= soon < 500_000
