"""Many messages in one row: whatever is settled in whatever order, what is left is what a row of each would hold."""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
import struct
from pathlib import Path

import pytest

from swarmage.broker.queues.message import Damaged, Message
from swarmage.broker.storage import sqlite_packs
from swarmage.broker.storage.file_report import report
from swarmage.broker.storage.notes import DurableRow, Notes
from swarmage.broker.storage.pack import COUNT_BYTES, FACTS_BYTES, MOST, MOST_BYTES
from swarmage.broker.storage.repair import compact, repair
from swarmage.broker.storage.roots import roots_of
from swarmage.broker.storage.sqlite_file import open_file
from swarmage.broker.storage.sqlite_rows import Rows
from swarmage.broker.storage.store import Page
from swarmage.errors import BusFailed

from ...seeds import SEED
from ..stored import Opened, batch, message, read_all, write_format_3

LATER = 4_000_000_000_000


def ask(folder: Path, question: str) -> list[tuple[int, ...]]:
    with contextlib.closing(sqlite3.connect(folder / "bus.db")) as connection:
        return connection.execute(question).fetchall()


def content(messages: dict[int, Message]) -> dict[int, tuple[str, bytes, int]]:
    return {number: (each.destination, each.body, each.count) for number, each in messages.items()}


def facts(messages: list[Message]) -> dict[int, tuple[object, ...]]:
    """Return all there is of messages, but for the one that the test has damaged."""
    whole = [m for m in messages if m.id != 9 and not isinstance(m, Damaged)]
    return {m.id: (m.destination, m.body, m.count, m.expires, m.due) for m in whole}


def test_messages_of_one_queue_and_priority_that_come_together_are_one_row(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    alone = [message(300, due=LATER), message(301, "/value/a"), message(302, "/value/a")]
    others = [message(400), message(401, "/queue/b"), message(402, priority=9), message(403, "/queue/b")]
    opened.write(batch([*(message(number) for number in range(1, MOST + 2)), *alone, *others]))
    opened.write(batch([message(500, body=b"x" * MOST_BYTES), message(501), message(502)]))
    opened.store.close()
    rows = ask(tmp_path, "SELECT first, id, messages FROM pack ORDER BY id")
    assert rows == [(1, 125, 125), (126, 400, 2), (402, 402, 1), (401, 403, 2), (500, 500, 1), (501, 502, 2)]
    assert ask(tmp_path, "SELECT id FROM message ORDER BY id") == [(300,), (301,), (302,)]


@pytest.mark.parametrize("known", [0, 1_000])
def test_whatever_is_settled_in_whatever_order_the_rest_is_there(
    tmp_path: Path, known: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_packs, "_MOST_KNOWN", known)
    chance = random.Random(SEED)
    opened, number = Opened(tmp_path), 0
    there: dict[int, Message] = {}
    for step in range(150):
        made = batch(deletes=chance.sample([*there.values()], min(len(there), chance.choice([0, 1, 30, 200]))))
        for gone in made.deletes:
            del there[gone.id]
        for each in chance.sample([*there.values()], min(len(there), chance.choice([0, 0, 3]))):
            each.count += 1
            made.counts[each] = each.count
        for _ in range(chance.choice([0, 1, 20, 150])):
            number += 1
            made.inserts.append(message(number, f"/queue/{'ab'[number % 2]}", b"%d" % number))
            made.inserts[-1].count = chance.choice([0, 0, 7])
        there |= {each.id: each for each in made.inserts}
        assert opened.write(made) is None
        if step % 30 == 29:
            opened.store.close()
            assert report(tmp_path / "bus.db")["sound"]
            opened = Opened(tmp_path)
            found = {each.id: each for name in ("/queue/a", "/queue/b") for each in opened.read(name)}
            assert content(found) == content(there), f"replay with SWARMAGE_SEED={SEED}"
            assert sum(opened.loaded.backlog.values()) == len(there)
            there = found
    assert opened.write(batch(deletes=[*there.values()])) is None
    opened.store.close()
    assert [ask(tmp_path, f"SELECT count(*) FROM {table}") for table in ("pack", "settled")] == [[(0,)], [(0,)]]


def test_a_page_goes_on_behind_packs_nothing_of_which_is_left_there(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    first, second = [message(number) for number in range(1, 6)], [message(6)]
    opened.write(batch(first))
    opened.write(batch(second, deletes=first[2:]))
    read: list[list[Message]] = []
    opened.store.read(Page("/queue/a", 4, 2, 10, 1 << 20), read.append)  # type: ignore[arg-type]
    opened.calls.get(timeout=30)()
    opened.store.close()
    assert [each.id for each in read[0]] == [6]


def test_what_was_settled_in_a_batch_that_had_no_room_is_not_settled(tmp_path: Path) -> None:
    connection = open_file(tmp_path / "bus.db")
    rows = Rows(connection)
    made = [message(number) for number in range(1, 11)]
    rows.write(batch(made))
    rows.write(batch(deletes=made[:2]))
    for deletes in (made[2:5], made[2:]):
        undone = batch(deletes=deletes)
        undone.notes = Notes(opened=[DurableRow(1, "ann", "audit", "/topic/a")] * 2)  # which cannot be
        with pytest.raises(sqlite3.IntegrityError):
            rows.write(undone)
        rows.roll_back()
    rows.write(batch(deletes=made[5:7]))
    page = rows.reading(Page("/queue/a", 4, 0, 100, 1 << 20))(connection)
    connection.close()
    assert [each.id for each in page] == [3, 4, 5, 8, 9, 10]


def test_a_number_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    error = opened.write(batch([message(7), message(8), message(8)]))
    opened.store.close()
    assert isinstance(error, BusFailed)
    assert "message 8 comes behind message 8" in str(error)


def test_compacting_drops_what_is_done_of_a_pack(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    made = [message(number, body=b"x" * 1_000) for number in range(1, 101)]
    opened.write(batch(made))
    last = batch(deletes=[*made[:40], *made[41:99]])
    last.counts = {made[40]: 3}
    opened.write(last)
    opened.store.close()
    before, after = compact(tmp_path / "bus.db")
    assert before - after > 80_000
    opened = Opened(tmp_path)
    assert [(each.id, each.count) for each in opened.read()] == [(41, 3), (100, 0)]
    assert opened.write(batch(deletes=opened.read())) is None
    opened.store.close()


def test_a_repair_saves_what_stands_before_the_damage_in_a_pack(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    opened.write(batch([message(number, body=b"%d" % number * 1_000) for number in range(1, 51)]))
    opened.store.close()
    data = bytearray((tmp_path / "bus.db").read_bytes())
    at = data.index(b"30" * 500) // 4_096 * 4_096
    data[at : at + 4_096] = bytes(4_096)  # a page that the disk lost, and with it the way to the next one
    (tmp_path / "bus.db").write_bytes(data)
    saved = repair(tmp_path / "bus.db")
    assert 27 <= saved.saved <= 29
    assert saved.saved + saved.damaged == 50
    bodies = read_all(tmp_path / "bus.db").bodies
    assert all(bodies[number, "/queue/a", 4] == b"%d" % number * 1_000 for number in range(1, saved.saved + 1))


@pytest.mark.parametrize("operation", ["start", "repair"])
def test_a_file_of_format_3_is_packed_and_kept_as_it_was(tmp_path: Path, operation: str) -> None:
    old = [message(number, f"/queue/{'ab'[number % 2]}", b"%d" % number, priority=4) for number in range(1, 301)]
    old += [message(301, "/value/a"), message(302, due=LATER), message(303, priority=9)]
    old[6].count, old[7].expires = 2, LATER
    write_format_3(tmp_path / "bus.db", old)
    with contextlib.closing(sqlite3.connect(tmp_path / "bus.db")) as connection:
        connection.execute("UPDATE message SET body = x'00' WHERE id = 9")
        connection.execute("UPDATE run SET number = 7")
        connection.commit()
    if operation == "repair":
        saved = repair(tmp_path / "bus.db")
        assert (saved.saved, saved.damaged, saved.lost) == (302, 1, 0)
    for _ in range(2):
        opened = Opened(tmp_path)
        kept = [*opened.read("/queue/a"), *opened.read("/queue/b"), *opened.read("/value/a"), *opened.loaded.messages]
        opened.store.close()
        assert opened.loaded.next_number >= 8 << 40
        spoilt = [each.body for each in kept if isinstance(each, Damaged)]
        assert spoilt == ([] if operation == "repair" else [b"\0"])
        assert facts(kept) == facts(old[:302])
        assert opened.loaded.backlog["/queue/a", 9] == 1
    assert (tmp_path / "bus.db.v3").exists()
    assert max(ask(tmp_path, "SELECT messages FROM pack")) == (125,)


def test_what_is_done_in_packs_counts_no_more_after_a_restart(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    empty = opened.loaded.bytes
    for start in range(1, 1_001, 100):
        some = [message(number, body=b"x" * 1_000) for number in range(start, start + 100)]
        opened.write(batch(some))
        opened.write(batch(deletes=some[1:]))
    opened.store.close()
    again = Opened(tmp_path)
    assert again.loaded.bytes - empty < 100_000 < (tmp_path / "bus.db").stat().st_size
    again.store.close()


def spoil_facts(folder: Path, place: int, offset: int) -> None:
    """Change a byte of the facts of a message in the only pack of a file."""
    with contextlib.closing(sqlite3.connect(folder / "bus.db")) as connection:
        data = bytearray(connection.execute("SELECT data FROM pack").fetchone()[0])
        data[COUNT_BYTES + place * FACTS_BYTES + offset] ^= 1
        connection.execute("UPDATE pack SET data = ?", (bytes(data),))
        connection.commit()


def test_a_damaged_message_behind_done_ones_is_not_passed_over(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    made = [message(number) for number in range(1, 101)]
    opened.write(batch(made))
    opened.write(batch(deletes=made[:60]))
    opened.store.close()
    spoil_facts(tmp_path, 60, 30)  # its checksum
    with contextlib.closing(open_file(tmp_path / "bus.db")) as connection:
        rows = Rows(connection)
        rows.load()
        page = rows.reading(Page("/queue/a", 4, 60, 100, 1 << 20))(connection)
    assert [type(each) is Damaged for each in page] == [True] + [False] * 39


@pytest.mark.parametrize(("place", "offset"), [(1, 36), (99, 1)], ids=["priority", "number"])
def test_compacting_leaves_a_pack_alone_that_holds_something_damaged(tmp_path: Path, place: int, offset: int) -> None:
    opened = Opened(tmp_path)
    made = [message(number, body=b"%d" % number) for number in range(1, 101)]
    opened.write(batch(made))
    opened.write(batch(deletes=made[:1]))
    opened.store.close()
    spoil_facts(tmp_path, place, offset)
    compact(tmp_path / "bus.db")
    found = read_all(tmp_path / "bus.db")
    assert (len(found.bodies), found.damaged) == (98, 1)


def test_a_repair_counts_what_is_gone_without_a_trace(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    opened.write(batch([message(number, body=b"<%d>" % number * 40) for number in range(1, 126)]))
    opened.store.close()
    data = bytearray((tmp_path / "bus.db").read_bytes())
    at = data.index(struct.pack("<qq", 110, 0)) // 4_096 * 4_096
    data[at : at + 4_096] = bytes(4_096)  # a page with facts
    (tmp_path / "bus.db").write_bytes(data)
    saved = repair(tmp_path / "bus.db")
    assert saved.lost > 0
    assert saved.saved + saved.damaged + saved.lost == 125


def test_notes_of_a_pack_that_is_not_there_are_told(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    opened.write(batch([message(1), message(2)]))
    opened.store.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "bus.db")) as connection:
        connection.execute("INSERT INTO settled VALUES (77, '[-1]', 0)")
        connection.commit()
    found = report(tmp_path / "bus.db")
    assert found["problems"] == ["it has noted something of pack 77, which it does not hold"]


def test_packs_whose_beginning_is_lost_are_counted(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    opened.write(batch([message(number, body=b"x" * 1_000) for number in range(1, 501)]))
    opened.store.close()
    path = tmp_path / "bus.db"
    root = json.loads(roots_of(path).read_text())["pack"]
    data = bytearray(path.read_bytes())
    data[(root - 1) * 4_096 : root * 4_096] = bytes(4_096)
    path.write_bytes(data)
    saved = repair(path)
    assert (saved.saved, saved.lost, saved.lost_packs) == (0, 0, 4)
