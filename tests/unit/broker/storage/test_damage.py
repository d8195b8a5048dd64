from __future__ import annotations

import contextlib
import logging
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swarmage.broker.queues.message import Damaged
from swarmage.broker.storage.pack import COUNT_BYTES, FACTS_BYTES
from swarmage.broker.storage.repair import repair
from swarmage.broker.storage.sqlite_damage import FAILURES, cannot_go_on, cannot_open, is_damage
from swarmage.broker.storage.sqlite_file import connect
from swarmage.broker.storage.store import MemoryStore, Page
from swarmage.broker.storage.store import Read as ReadDone
from swarmage.broker.storage.wal import lost_commits
from swarmage.errors import BusFailed, ConfigError

from ...seeds import SEED
from ..driver import Bus
from ..stored import Key, Opened, batch, fill, flip, message, read_all

HEADER_BITS = 32 * 8  # which decide whether the rest can be read
FLIPS = {"bus.db": 12, "bus.db-wal": 4}
"""A sample; tests/simulation/test_long_runs.py has many more."""


def refused(path: Path, error: Exception) -> str:
    told = str(cannot_open(path, error)), str(cannot_go_on(path, "read", error))
    assert all(str(path) in text for text in told)
    assert is_damage(error) or "damaged" in told[0]
    return "refused"


def outcome(path: Path, before: dict[Key, bytes], lost: int) -> str:
    """Say what a flipped bit came to; a wrong body, or a loss that nobody is told of, is an assertion."""
    try:
        found = read_all(path)
    except (*FAILURES, ConfigError) as error:
        return refused(path, error)
    for key, body in found.bodies.items():
        if not lost or key in before:  # the last commit was an ack
            assert before[key] == body
    missing = len(before) - len(found.bodies.keys() & before) - found.damaged
    assert missing <= 0 or found.missed >= missing or lost, f"{missing} messages vanished"
    return "set aside" if found.damaged else "told" if missing else "harmless"


def flip_bits(tmp_path: Path, part: str, flips: int) -> set[str]:
    """Flip a bit of a file again and again; return what that came to."""
    rng = random.Random(f"{SEED} {part}")
    whole = tmp_path / "whole" / "bus.db"
    before = fill(whole, keep_log=part.endswith("-wal"))
    size = (whole.parent / part).stat().st_size
    seen = set()
    for number in range(flips):
        folder = tmp_path / str(number)
        shutil.copytree(whole.parent, folder)
        flip(folder / part, rng.randrange(size * 8 if number % 4 else HEADER_BITS))
        seen.add(outcome(folder / "bus.db", before, lost_commits(folder / "bus.db")))
        shutil.rmtree(folder)
    return seen


@pytest.mark.parametrize("part", FLIPS)
def test_a_flipped_bit_never_changes_a_body_and_never_loses_one_in_silence(tmp_path: Path, part: str) -> None:
    assert flip_bits(tmp_path, part, FLIPS[part])


def test_a_file_whose_log_is_whole_is_read_after_a_kill(tmp_path: Path) -> None:
    before = fill(tmp_path / "a" / "bus.db", keep_log=True)
    assert lost_commits(tmp_path / "a" / "bus.db") == 0
    assert read_all(tmp_path / "a" / "bus.db").bodies == before


def test_a_log_whose_end_is_torn_opens_with_a_line_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a" / "bus.db"
    fill(path, keep_log=True)
    log = path.with_name("bus.db-wal")
    flip(log, log.stat().st_size * 8 - 1)  # as if the last page had not reached the disk
    with caplog.at_level(logging.WARNING):
        read_all(path)
    assert "incomplete" in caplog.text


def test_a_log_that_is_damaged_in_the_middle_is_not_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "a" / "bus.db"
    fill(path, keep_log=True)
    log = path.with_name("bus.db-wal")
    content = log.read_bytes()
    flip(log, len(content) * 4)
    for _ in range(2):  # the first look must not make it unreadable for the second
        with pytest.raises(ConfigError, match=r"commits in its log bus\.db-wal cannot be read.*bus --repair --data"):
            Opened(path.parent)
    assert len(log.read_bytes()) == len(content)


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("DROP INDEX packed", "its tables are not those of the bus"),
        ("PRAGMA user_version=3", "says that its format is 3"),
        ("PRAGMA user_version=5", "says that its format is 5"),
        ("UPDATE destination SET id = id + 10", "whose destination it does not know"),
        ("UPDATE pack SET first = first - 1", "of its packs are not as they were written"),
        ("INSERT INTO settled VALUES (7777, '[0]', 0)", "noted something of pack 7777, which it does not hold"),
        ("INSERT INTO settled SELECT id, '[-1]', 0 FROM pack LIMIT 1", "noted of pack [0-9]+ is not as it was written"),
    ],
)
def test_a_file_that_is_not_as_it_was_written_is_refused_with_the_command_that_helps(
    tmp_path: Path, statement: str, complaint: str
) -> None:
    fill(tmp_path / "bus.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "bus.db")) as connection:
        connection.execute(statement)
        connection.commit()
    with pytest.raises(ConfigError, match=f"{complaint}.*swarmage bus --repair --data {tmp_path}"):
        Opened(tmp_path)


def test_tables_whose_text_has_become_bytes_are_damage(tmp_path: Path) -> None:
    fill(tmp_path / "bus.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "bus.db")) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("UPDATE sqlite_master SET sql = CAST(sql AS BLOB) WHERE name = 'packed'")
        connection.commit()
    with pytest.raises(ConfigError, match=f"swarmage bus --repair --data {tmp_path}"):
        Opened(tmp_path)


def ask(folder: Path, question: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(folder / "bus.db")) as connection:
        return connection.execute(question).fetchall()


def change(folder: Path, statement: str, *values: object) -> None:
    with contextlib.closing(sqlite3.connect(folder / "bus.db")) as connection:
        connection.execute(statement, values)
        connection.commit()


def a_pack(folder: Path, count: int = 3) -> None:
    """Make a file with one pack."""
    opened = Opened(folder)
    opened.write(batch([message(number, body=b"body %d" % number) for number in range(1, count + 1)]))
    opened.store.close()


FACTS = {"number": 0, "expires": 8, "start": 16, "head": 20, "body": 24, "sum": 28, "priority": 36}
"""Where the facts of a message are, from where they begin."""


@pytest.mark.parametrize("what", [*FACTS, "content"])
def test_a_message_that_does_not_fit_its_checksum_is_returned_as_damaged_and_those_beside_it_are_not(
    tmp_path: Path, what: str
) -> None:
    a_pack(tmp_path)
    [(data,)] = ask(tmp_path, "SELECT data FROM pack")
    at = data.index(b"body 2") if what == "content" else COUNT_BYTES + FACTS_BYTES + FACTS[what]
    for bit in (0, 7):
        spoilt = bytearray(data)
        spoilt[at] ^= 1 << bit
        change(tmp_path, "UPDATE pack SET data = ?", bytes(spoilt))
        opened = Opened(tmp_path)
        page = opened.read()
        opened.store.close()
        assert [(each.id, type(each) is Damaged) for each in page] == [(1, False), (2, True), (3, False)]
        assert [each.body for each in page if type(each) is not Damaged] == [b"body 1", b"body 3"]


@pytest.mark.parametrize("what", ["head", "body"])
def test_a_size_that_reaches_behind_the_pack_is_damage_of_its_last_message_alone(tmp_path: Path, what: str) -> None:
    a_pack(tmp_path)
    [(data,)] = ask(tmp_path, "SELECT data FROM pack")
    spoilt = bytearray(data)
    spoilt[COUNT_BYTES + 2 * FACTS_BYTES + FACTS[what] + 2] ^= 1
    change(tmp_path, "UPDATE pack SET data = ?", bytes(spoilt))
    opened = Opened(tmp_path)
    page = opened.read()
    opened.store.close()
    assert [(each.id, type(each) is Damaged) for each in page] == [(1, False), (2, False), (3, True)]
    saved = repair(tmp_path / "bus.db")
    assert (saved.saved, saved.damaged, saved.lost) == (2, 1, 0)


def test_a_damaged_message_that_was_set_aside_does_not_come_again(tmp_path: Path) -> None:
    a_pack(tmp_path)
    [(data,)] = ask(tmp_path, "SELECT data FROM pack")
    change(tmp_path, "UPDATE pack SET data = ?", data.replace(b"body 2", b"BODY 2"))
    opened = Opened(tmp_path)
    [_, spoilt, _] = opened.read()
    assert opened.write(batch(deletes=[spoilt])) is None
    assert [each.body for each in opened.read()] == [b"body 1", b"body 3"]
    opened.store.close()


def test_a_value_that_does_not_fit_its_checksum_is_returned_as_damaged(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    opened.write(batch([message(1, "/value/a"), message(2, "/value/b")]))
    opened.store.close()
    change(tmp_path, "UPDATE message SET body = x'00' WHERE id = 1")
    opened = Opened(tmp_path)
    assert [type(opened.read(name)[0]) is Damaged for name in ("/value/a", "/value/b")] == [True, False]
    opened.store.close()


def redefine_index(folder: Path, old: str, new: str) -> None:
    with contextlib.closing(sqlite3.connect(folder / "bus.db")) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE name = 'packed'", (old, new))
        connection.commit()


WHOLE, NONE = "(destination, priority)", "(destination, priority) WHERE id < 0"


def test_an_index_that_lacks_a_pack_is_told_at_the_start(tmp_path: Path) -> None:
    a_pack(tmp_path)
    redefine_index(tmp_path, WHOLE, NONE)
    change(tmp_path, "INSERT INTO pack SELECT id + 1, destination, priority, first, messages, 0, sum, data FROM pack")
    redefine_index(tmp_path, NONE, WHOLE)
    with pytest.raises(ConfigError, match=r"its indexes do not name the messages that it holds.*bus --repair"):
        Opened(tmp_path)


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("UPDATE pack SET data = substr(data, 1, 37)", "pack 3 lacks messages"),
        ("UPDATE pack SET data = 'text'", "pack 3 lacks messages"),
        ("UPDATE pack SET messages = 4", "index names pack 3"),
        ("UPDATE pack SET expires = 1", "index names pack 3"),
        ("UPDATE settled SET counts = '[0,0,0]'", "noted of pack 3"),
    ],
)
def test_a_pack_that_is_not_as_it_was_written_stops_the_bus_which_names_file_and_command(
    tmp_path: Path, statement: str, complaint: str
) -> None:
    a_pack(tmp_path)
    opened = Opened(tmp_path)
    assert opened.write(batch(deletes=opened.read()[:1])) is None
    with contextlib.closing(connect(tmp_path / "bus.db")) as behind:  # as a disk that changes what it holds
        behind.execute(statement)
    error = opened.read()
    opened.store.close()
    assert isinstance(error, BusFailed)
    assert complaint in str(error)
    assert f"{tmp_path / 'bus.db'} is damaged" in str(error)
    assert f"swarmage bus --repair --data {tmp_path}" in str(error)


class DamagedStore(MemoryStore):
    """Returns one of its messages as damaged."""

    def read(self, page: Page, done: ReadDone) -> None:
        def spoil(read: object) -> None:
            assert isinstance(read, list)
            done([self._spoilt(each) if each.body == b"bad" else each for each in read])

        super().read(page, spoil)

    @staticmethod
    def _spoilt(each: object) -> Damaged:
        spoilt = Damaged(each.id, each.destination, each.head, each.body, "its checksum does not fit")  # type: ignore[attr-defined]
        spoilt.priority, spoilt.stored = each.priority, True  # type: ignore[attr-defined]
        return spoilt


@pytest.fixture
def restarted() -> Callable[[list[bytes]], Bus]:
    def restarted(bodies: list[bytes]) -> Bus:
        bus = Bus(store=DamagedStore())
        sender = bus.client()
        for body in bodies:
            sender.put("/queue/a", body)
        bus.start()
        return bus

    return restarted


def test_a_damaged_message_is_kept_aside_with_the_reason_and_told_of(
    restarted: Callable[[list[bytes]], Bus], caplog: pytest.LogCaptureFixture
) -> None:
    bus = restarted([b"1", b"bad", b"3"])
    reader = bus.client()
    with caplog.at_level(logging.ERROR):
        reader.subscribe("/queue/a")
    assert reader.bodies() == [b"1", b"3"]
    assert [record.event for record in caplog.records] == ["message_damaged"]  # type: ignore[attr-defined]
    reader.subscribe("/queue/DLQ.damaged", "2")
    aside = reader.take()
    assert aside.headers["original-destination"] == "/queue/a"
    assert aside.headers["reason"] == "its checksum does not fit"
    assert aside.body.endswith(b"\n\nbad")
    assert bus.store.messages == {}  # type: ignore[attr-defined]


def test_who_browses_does_not_see_a_damaged_message_and_does_not_take_it(
    restarted: Callable[[list[bytes]], Bus],
) -> None:
    bus = restarted([b"1", b"bad"])
    browser = bus.client()
    browser.subscribe("/queue/a", browser="true")
    assert browser.take().body == b"1"
    assert browser.take().headers["browser"] == "end"
    assert len(bus.store.messages) == 2  # type: ignore[attr-defined]
