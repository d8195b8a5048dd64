from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
import stat
import struct
from pathlib import Path

import pytest

from swarmage.broker.storage.file_report import report
from swarmage.broker.storage.repair import compact, repair
from swarmage.errors import ConfigError

from ...seeds import SEED
from ..stored import Opened, batch, fill, flip, message, read_all

FORMAT_1 = """
CREATE TABLE destination (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE message (
    id INTEGER PRIMARY KEY, destination INTEGER NOT NULL, priority INTEGER NOT NULL, due INTEGER NOT NULL,
    expires INTEGER NOT NULL, count INTEGER NOT NULL, head BLOB NOT NULL, body BLOB NOT NULL
);
CREATE INDEX lane ON message (destination, priority) WHERE due = 0;
CREATE INDEX held ON message (destination) WHERE due > 0;
CREATE INDEX fading ON message (destination) WHERE expires > 0;
CREATE TABLE run (number INTEGER NOT NULL);
INSERT INTO run VALUES (7);
INSERT INTO destination VALUES (1, '/queue/a'), (2, '/queue/b');
INSERT INTO message VALUES (1, 1, 4, 0, 0, 3, x'0a0a', x'00ff'), (2, 2, 9, 5, 6, 0, x'0a0a', x'');
PRAGMA user_version=1
"""


def spoil(connection: sqlite3.Connection, old: bytes, new: bytes) -> None:
    """Change the only pack of a file behind the back of its checksums."""
    [(data,)] = connection.execute("SELECT data FROM pack").fetchall()
    assert data.count(old) == 1
    connection.execute("UPDATE pack SET data = ?", (data.replace(old, new),))


def write_format_1(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(FORMAT_1)


def test_a_file_of_format_1_is_brought_up_to_date_and_kept_as_it_was(tmp_path: Path) -> None:
    write_format_1(tmp_path / "bus.db")
    for _ in range(2):
        opened = Opened(tmp_path)
        [message] = opened.read()
        assert (message.id, message.count, message.head, message.body) == (1, 3, b"\n\n", b"\0\xff")
        [held] = opened.loaded.messages
        assert (held.id, held.destination, held.priority, held.due, held.expires) == (2, "/queue/b", 9, 5, 6)
        assert opened.loaded.next_number >= 8 << 40
        opened.store.close()
    kept = tmp_path / "bus.db.v1"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with contextlib.closing(sqlite3.connect(kept)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM message").fetchone() == (2,)


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    write_format_1(tmp_path / "bus.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "bus.db")) as connection:
        connection.execute("UPDATE message SET destination = 3 WHERE id = 1")  # which there is not
        connection.commit()
    with pytest.raises(ConfigError, match=r"bus\.db"):
        Opened(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "bus.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM message").fetchone() == (2,)


def test_a_report_counts_what_is_there(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    late, high = message(2, due=4_000_000_000_000), message(3, priority=9)
    high.expires = 5_000_000_000_000
    opened.write(batch([message(1, body=b"12345"), late, high, message(4, "/queue/b")]))
    opened.store.close()
    found = report(tmp_path / "bus.db")
    assert found["sound"]
    assert found["problems"] == []
    first, second = found["queues"]
    assert (first["name"], first["waiting"], first["delayed"], first["expiring"]) == ("/queue/a", 2, 1, 1)
    assert (first["oldest"], first["priorities"]) == (1, {4: 2, 9: 1})
    assert (second["name"], second["waiting"], second["bytes"]) == ("/queue/b", 1, 1 + len(message(4, "/queue/b").head))


def test_a_file_that_a_bus_uses_is_left_alone(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    try:
        with pytest.raises(ConfigError, match="in use"):
            report(tmp_path / "bus.db")
        with pytest.raises(ConfigError, match="in use"):
            compact(tmp_path / "bus.db")
    finally:
        opened.store.close()


@pytest.mark.parametrize("operation", [report, repair, compact])
def test_a_folder_without_a_file_is_told(tmp_path: Path, operation: object) -> None:
    with pytest.raises(ConfigError, match="--data"):
        operation(tmp_path / "bus.db")  # type: ignore[operator]


def test_a_repair_saves_everything_of_a_sound_file_and_keeps_the_old_one(tmp_path: Path) -> None:
    before = fill(tmp_path / "bus.db")
    old = (tmp_path / "bus.db").read_bytes()
    first = Opened(tmp_path)
    first.store.close()
    saved = repair(tmp_path / "bus.db")
    assert (saved.saved, saved.damaged, saved.lost, saved.lost_commits) == (len(before), 0, 0, 0)
    assert saved.kept.name.startswith("bus.db.damaged-2")
    assert len(saved.kept.read_bytes()) == len(old)
    assert read_all(tmp_path / "bus.db").bodies == before
    again = Opened(tmp_path)
    again.store.close()
    assert again.loaded.next_number > first.loaded.next_number


def test_a_repair_sets_damaged_messages_aside(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    opened.write(batch([message(number, body=b"body %d" % number) for number in (1, 2, 3)]))
    opened.store.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "bus.db")) as connection:
        spoil(connection, b"body 2", b"BODY 2")
        connection.execute("UPDATE destination SET name = '/queue/other'")
        connection.commit()
    saved = repair(tmp_path / "bus.db")
    assert (saved.saved, saved.damaged, saved.lost) == (2, 1, 0)
    opened = Opened(tmp_path)
    assert [each.body for each in opened.read("/queue/a")] == [b"body 1", b"body 3"]  # by what their senders wrote
    [aside] = opened.read("/queue/DLQ.damaged")
    assert b"original-destination:/queue/other" in aside.head
    opened.store.close()


def test_packs_of_a_file_that_was_often_started_are_repaired(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    high = 1 << 40
    opened.write(batch([message(high + number, body=b"body %d" % number) for number in (1, 2, 3)]))
    opened.store.close()
    saved = repair(tmp_path / "bus.db")
    assert (saved.saved, saved.damaged, saved.lost) == (3, 0, 0)


def test_what_is_set_aside_gets_a_number_that_a_bus_comes_to(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    opened.write(batch([message(number, body=b"body %d" % number) for number in (1, 2, 3)]))
    opened.store.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "bus.db")) as connection:
        spoil(connection, struct.pack("<qq", 1, 0), struct.pack("<qq", -1, 0))
        spoil(connection, struct.pack("<qq", 2, 0), struct.pack("<qq", (1 << 63) - 1, 0))
        connection.commit()
    saved = repair(tmp_path / "bus.db")
    assert (saved.saved, saved.damaged, saved.lost) == (1, 2, 0)
    opened = Opened(tmp_path)
    aside = opened.read("/queue/DLQ.damaged")
    assert [(each.id, each.body[-1:]) for each in aside] == [(4, b"1"), (5, b"2")]
    assert opened.write(batch([message(opened.loaded.next_number)])) is None
    opened.store.close()


def test_a_file_that_says_it_is_shorter_than_it_is_loses_nothing(tmp_path: Path) -> None:
    before = fill(tmp_path / "bus.db")
    with (tmp_path / "bus.db").open("r+b") as file:
        file.seek(28)  # "In-header Database Size" of SQLite's file format
        file.write((2).to_bytes(4, "big"))
    assert repair(tmp_path / "bus.db").saved == len(before)
    assert read_all(tmp_path / "bus.db").bodies == before


def test_a_count_of_starts_that_cannot_be_right_is_damage(tmp_path: Path) -> None:
    fill(tmp_path / "bus.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "bus.db")) as connection:
        connection.execute("UPDATE run SET number = 1 << 40")
        connection.commit()
    with pytest.raises(ConfigError, match=r"count of starts.*--repair"):
        Opened(tmp_path)
    repair(tmp_path / "bus.db")
    opened = Opened(tmp_path)
    assert opened.write(batch([message(opened.loaded.next_number)])) is None
    opened.store.close()


def repair_flipped_bits(tmp_path: Path, flips: int) -> None:
    """Flip a bit of a file and repair it, again and again; every fourth time one that decides if it can be read."""
    rng = random.Random(SEED)
    before = fill(tmp_path / "whole" / "bus.db")
    size = (tmp_path / "whole" / "bus.db").stat().st_size
    for number in range(flips):
        folder = tmp_path / str(number)
        shutil.copytree(tmp_path / "whole", folder)
        flip(folder / "bus.db", rng.randrange(100 * 8) if number % 4 == 0 else rng.randrange(size * 8))
        saved = repair(folder / "bus.db")
        found = read_all(folder / "bus.db")
        assert report(folder / "bus.db")["sound"]
        for key, body in found.bodies.items():
            assert key[1] == "/queue/DLQ.damaged" or before[key] == body
        assert len(found.bodies) == saved.saved + saved.damaged
        assert saved.saved > len(before) // 2, number


def test_what_a_repair_leaves_is_sound_whatever_bit_was_flipped(tmp_path: Path) -> None:
    repair_flipped_bits(tmp_path, 6)  # tests/simulation/test_long_runs.py has many more


def test_compacting_gives_room_back(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    messages = [message(number, body=b"x" * 2_000) for number in range(1, 501)]
    opened.write(batch(messages))
    opened.write(batch(deletes=messages[:-1]))
    opened.store.close()
    before, after = compact(tmp_path / "bus.db")
    assert before > 1_000_000 > 100_000 > after
    assert list(read_all(tmp_path / "bus.db").bodies) == [(500, "/queue/a", 4)]
