"""What the file keeps besides messages: after a migration, after damage, after a repair."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from swarmage.broker.queues.message import Message
from swarmage.broker.storage.file_report import report
from swarmage.broker.storage.notes import ClockRow, DedupeRow, DurableRow, Noted, Notes
from swarmage.broker.storage.pack import MOST
from swarmage.broker.storage.repair import compact, repair
from swarmage.broker.storage.store import MemoryStore
from swarmage.clock import SYSTEM_CLOCK
from swarmage.errors import ConfigError

from ...seeds import SEED
from ..stored import Opened, batch, flip, message, read_all, write_format_3

AUDIT = DurableRow(1, "ann", "audit/é", "/topic/news.>")
OTHER = DurableRow(2, "bob", "other", "/topic/a")


def waiting(number: int, row: DurableRow = AUDIT) -> Message:
    """Return a message that waits for a durable subscription."""
    made = message(number, row.queue)
    made.head = b"destination:/topic/news.a\ncontent-length:1\n\n"
    return made


def fill(folder: Path) -> None:
    """Write some of everything."""
    opened = Opened(folder)
    made = batch([message(1), *(waiting(number) for number in range(2, 40)), waiting(40, OTHER)])
    made.notes = Notes(
        opened=[AUDIT, OTHER],
        seen=[DedupeRow(number, number * 10, b"%016d" % number) for number in range(1, 200)],
        times=[ClockRow(number, 1_700_000_000_000 + number * 1_000) for number in range(1, 40)],
    )
    assert opened.write(made) is None
    opened.store.close()


def noted(folder: Path) -> Noted:
    opened = Opened(folder)
    opened.store.close()
    return opened.loaded.noted


def change(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


@pytest.mark.parametrize("operation", ["start", "repair"])
def test_a_file_of_format_2_is_brought_up_to_date_and_its_messages_are_as_old_as_that(
    tmp_path: Path, operation: str
) -> None:
    write_format_3(tmp_path / "bus.db", [message(1), message(2, due=4_000_000_000_000)], notes=False)
    before = SYSTEM_CLOCK.wall() * 1000 - 1
    if operation == "repair":
        assert repair(tmp_path / "bus.db").saved == 2
    opened = Opened(tmp_path)
    assert [each.id for each in opened.read()] == [1]
    assert [each.id for each in opened.loaded.messages] == [2]
    [clock] = opened.loaded.noted.times.values()
    assert clock.number == 1
    assert before <= clock.at <= SYSTEM_CLOCK.wall() * 1000
    opened.store.close()
    assert (tmp_path / "bus.db.v2").exists()
    assert report(tmp_path / "bus.db")["sound"]


def test_a_store_gives_back_what_was_noted_and_forgets_what_was_ended(tmp_path: Path) -> None:
    fill(tmp_path)
    first = noted(tmp_path)
    assert list(first.durables.values()) == [AUDIT, OTHER]
    assert (len(first.seen), len(first.times)) == (199, 39)
    opened = Opened(tmp_path)
    made = batch()
    made.notes = Notes(ended=[AUDIT], forget=190, past=[1, 2, 3])
    assert opened.write(made) is None
    assert made.notes.freed == 38
    assert made.notes.freed_bytes == 38 * (len(waiting(2).head) + 1)
    opened.store.close()
    again = noted(tmp_path)
    assert list(again.durables.values()) == [OTHER]
    assert (min(again.seen), min(again.times)) == (191, 4)
    bodies = read_all(tmp_path / "bus.db").bodies
    assert {name for _, name, _ in bodies} == {"/queue/a", OTHER.queue}


def test_what_is_settled_after_its_durable_subscription_has_ended_leaves_nothing(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    made = batch([waiting(number) for number in range(2, 40)])
    made.notes = Notes(opened=[AUDIT])
    assert opened.write(made) is None
    held = opened.read(AUDIT.queue)
    ended = batch(deletes=held[:3])
    ended.notes = Notes(ended=[AUDIT])
    assert opened.write(ended) is None
    assert (ended.notes.freed, ended.notes.freed_bytes) == (35, 35 * (len(held[0].head) + 1))
    late = batch([message(50)], deletes=held[3:5])
    late.counts = {held[5]: 1}
    assert opened.write(late) is None
    opened.store.close()
    assert list(read_all(tmp_path / "bus.db").bodies) == [(50, "/queue/a", 4)]
    assert report(tmp_path / "bus.db")["sound"]


def test_memory_does_the_same_as_a_file() -> None:
    store = MemoryStore()
    made = batch([waiting(number) for number in range(2, 40)])
    made.notes = Notes(opened=[AUDIT], seen=[DedupeRow(3, 4, b"k")], times=[ClockRow(1, 2)])
    store.submit(made, lambda error: None)
    assert store.load().noted == Noted({1: AUDIT}, {3: DedupeRow(3, 4, b"k")}, {1: ClockRow(1, 2)})
    made = batch()
    made.notes = Notes(ended=[AUDIT], forget=3, past=[1])
    store.submit(made, lambda error: None)
    assert (made.notes.freed, store.messages, store.load().noted) == (38, {}, Noted())


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("UPDATE durable SET pattern = '/topic/else' WHERE id = 1", "1 rows of its table durable"),
        ("UPDATE dedupe SET at = at + 1 WHERE id < 3", "2 rows of its table dedupe"),
        ("UPDATE clock SET id = id + 1000 WHERE id = 1", "1 rows of its table clock"),
        ("DELETE FROM durable WHERE id = 2", "durable subscription"),
    ],
)
def test_damage_besides_messages_is_named_and_repaired(tmp_path: Path, statement: str, complaint: str) -> None:
    fill(tmp_path)
    path = tmp_path / "bus.db"
    change(path, statement)
    with pytest.raises(ConfigError, match=f"{complaint}.*swarmage bus --repair"):
        Opened(tmp_path)
    found = report(path)
    assert any(complaint in problem for problem in found["problems"]), found["problems"]
    repair(path)
    assert report(path)["sound"]
    Opened(tmp_path).store.close()


def test_a_repair_saves_durable_subscriptions_with_their_messages_and_drops_ids(tmp_path: Path) -> None:
    fill(tmp_path)
    before = read_all(tmp_path / "bus.db").bodies
    saved = repair(tmp_path / "bus.db")
    assert (saved.saved, saved.durables, saved.damaged) == (40, 2, 0)
    assert read_all(tmp_path / "bus.db").bodies == before
    again = noted(tmp_path)
    assert (list(again.durables.values()), again.seen, len(again.times)) == ([AUDIT, OTHER], {}, 39)


def test_a_repair_finds_the_queue_of_a_durable_subscription_without_the_table_of_names(tmp_path: Path) -> None:
    fill(tmp_path)
    before = read_all(tmp_path / "bus.db").bodies
    change(tmp_path / "bus.db", "DELETE FROM destination")
    assert repair(tmp_path / "bus.db").saved == 40
    assert read_all(tmp_path / "bus.db").bodies == before


def test_a_repair_sets_messages_aside_whose_durable_subscription_cannot_be_read(tmp_path: Path) -> None:
    fill(tmp_path)
    change(tmp_path / "bus.db", "UPDATE durable SET name = 'x' WHERE id = 1")
    saved = repair(tmp_path / "bus.db")
    assert (saved.saved, saved.durables, saved.damaged) == (2, 1, 38)
    opened = Opened(tmp_path)
    aside = opened.read("/queue/DLQ.damaged")
    assert len(aside) == 38
    assert b"original-destination:/durable/ann/audit%2F%C3%A9/1\n" in aside[0].head
    assert b"destination:/topic/news.a" in aside[0].body
    opened.store.close()


def repair_flipped_bits(tmp_path: Path, flips: int) -> int:
    """Flip a bit of a file and repair it, again and again; return how often that was needed."""
    rng = random.Random(SEED)
    (tmp_path / "whole").mkdir()
    fill(tmp_path / "whole")
    size = (tmp_path / "whole" / "bus.db").stat().st_size
    damaged = 0
    for number in range(flips):
        folder = tmp_path / str(number)
        shutil.copytree(tmp_path / "whole", folder)
        flip(folder / "bus.db", rng.randrange(size * 8))
        damaged += not report(folder / "bus.db")["sound"]
        saved = repair(folder / "bus.db")
        found = noted(folder)
        assert set(found.durables.values()) <= {AUDIT, OTHER}
        assert saved.durables == len(found.durables)
        assert saved.saved + saved.damaged + saved.lost + saved.lost_packs * MOST >= 40
    return damaged


def test_whatever_bit_is_flipped_a_repaired_file_opens_and_no_subscription_hears_anything_else(tmp_path: Path) -> None:
    assert repair_flipped_bits(tmp_path, 4) <= 4  # tests/simulation/test_long_runs.py has many more


def test_a_report_tells_durable_subscriptions_and_since_when_the_oldest_message_waits(tmp_path: Path) -> None:
    fill(tmp_path)
    found = report(tmp_path / "bus.db")
    assert found["sound"]
    assert found["format"] == 4
    assert found["durable_subscriptions"][0] == {
        "login": "ann", "name": "audit/é", "topic": "/topic/news.>", "queue": "/durable/ann/audit%2F%C3%A9/1",
    }  # fmt: skip
    times = {queue["name"]: queue["oldest_time"] for queue in found["queues"]}
    assert times["/queue/a"] == "2023-11-14T22:13:21+00:00"
    assert times[AUDIT.queue] == "2023-11-14T22:13:22+00:00"


def test_compacting_keeps_everything(tmp_path: Path) -> None:
    fill(tmp_path)
    before = noted(tmp_path)
    compact(tmp_path / "bus.db")
    assert noted(tmp_path) == before
