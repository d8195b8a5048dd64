"""Names of destinations in the file: kept while a message goes there, and not much longer."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from swarmage.broker.storage import sqlite_rows
from swarmage.broker.storage.sqlite_file import open_file
from swarmage.broker.storage.sqlite_rows import Rows
from swarmage.broker.storage.store import Page

from ..stored import batch, message


def test_destinations_that_nothing_goes_to_are_forgotten_while_the_bus_runs(tmp_path: Path) -> None:
    connection = open_file(tmp_path / "bus.db")
    rows = Rows(connection)
    kept = [message(number, f"/queue/kept{number}") for number in range(1, 51)]
    delayed = message(99, "/queue/delayed", due=4_000_000_000_000)
    rows.write(batch([*kept, delayed]))
    most = 0
    for start in range(100, 10_100, 100):
        once = [message(number, f"/queue/once{number}") for number in range(start, start + 100)]
        rows.write(batch(once))
        rows.write(batch(deletes=once))
        most = max(most, connection.execute("SELECT count(*) FROM destination").fetchone()[0])
    assert most <= 1_200
    rows.write(batch([message(20_000, "/queue/kept1"), message(20_001, "/queue/once100")]))
    for name, numbers in (("kept1", [1, 20_000]), ("kept50", [50]), ("once100", [20_001])):
        assert [each.id for each in rows.reading(Page(f"/queue/{name}", 4, 0, 100, 1 << 20))(connection)] == numbers
    [held] = rows.load().messages
    assert held.destination == "/queue/delayed"
    connection.close()


def test_destinations_are_known_again_when_a_batch_that_forgot_some_has_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_rows, "_FEW_NAMES", 3)
    connection = open_file(tmp_path / "bus.db")
    rows = Rows(connection)
    made = [message(number, f"/queue/{number}") for number in range(1, 6)]
    rows.write(batch(made))
    rows.write(batch(deletes=made[:4]))
    with pytest.raises(sqlite3.IntegrityError):
        rows.write(batch([message(5, "/queue/5")]))
    rows.roll_back()
    rows.write(batch([message(number + 10, f"/queue/{number}") for number in range(1, 6)]))
    assert [each.id for each in rows.reading(Page("/queue/5", 4, 0, 100, 1 << 20))(connection)] == [5, 15]
    assert [each.id for each in rows.reading(Page("/queue/1", 4, 0, 100, 1 << 20))(connection)] == [11]
    connection.close()
