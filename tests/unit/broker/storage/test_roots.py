"""The first page of a file, found again by what is noted beside it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from swarmage.broker.storage.repair import compact, repair
from swarmage.broker.storage.roots import note_roots, roots_of
from swarmage.broker.storage.sqlite_file import open_file

from ..stored import Opened, batch, message, write_format_3


def lose_first_page(path: Path) -> None:
    path.write_bytes(bytes(4_096) + path.read_bytes()[4_096:])


@pytest.mark.parametrize("kind", ["fresh", "compacted", "migrated"])
def test_a_file_without_its_first_page_is_repaired_whole(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "bus.db"
    messages = [message(number, body=b"body %d" % number) for number in range(1, 501)]
    if kind == "migrated":
        write_format_3(path, messages)
    opened = Opened(tmp_path)
    if kind != "migrated":
        opened.write(batch(messages))
    opened.store.close()
    if kind == "compacted":
        compact(path)
    lose_first_page(path)
    saved = repair(path)
    assert (saved.saved, saved.damaged, saved.lost) == (500, 0, 0)


@pytest.mark.parametrize("text", ["", "[]", '{"pack": "x", "settled": -1}'])
def test_what_is_noted_and_makes_no_sense_is_not_used(tmp_path: Path, text: str) -> None:
    opened = Opened(tmp_path)
    opened.write(batch([message(1)]))
    opened.store.close()
    roots_of(tmp_path / "bus.db").write_text(text)
    lose_first_page(tmp_path / "bus.db")
    assert repair(tmp_path / "bus.db").saved == 1


def test_a_place_that_cannot_be_written_keeps_nothing_that_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bus.db"
    with contextlib.closing(open_file(path)) as connection:
        assert json.loads(roots_of(path).read_text())["pack"] > 1
        roots_of(path).write_text("{}")
        monkeypatch.setattr("swarmage.broker.storage.roots._write", no_room)
        note_roots(connection, path)
    assert not roots_of(path).exists()


def no_room(path: Path, text: str) -> None:
    raise OSError("no room")
