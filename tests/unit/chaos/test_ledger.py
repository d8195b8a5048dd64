"""The file in which all processes of a run write."""

from __future__ import annotations

import os
from pathlib import Path

from swarmage.chaos.ledger import Ledger


def test_what_several_write_is_read_once_and_in_order(tmp_path: Path) -> None:
    one, other = Ledger(tmp_path / "ledger"), Ledger(tmp_path / "ledger")
    one.write("begun", "r.1", "done", 1, "thread")
    other.write("done", "r.1", "done", 1, "thread")
    assert [(entry.what, entry.words) for entry in one.news()] == [
        ("begun", ("r.1", "done", "1", "thread")),
        ("done", ("r.1", "done", "1", "thread")),
    ]
    assert one.news() == []
    other.write("left", 0)
    [entry] = one.news()
    assert (entry.pid, entry.what, entry.words) == (os.getpid(), "left", ("0",))


def test_a_line_that_was_cut_spoils_no_other(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    with (tmp_path / "ledger").open("ab") as file:
        file.write(b"\n12.5 77 done r.5 do")  # its process was killed here
    ledger.write("done", "r.6", "done", 1, "thread")
    assert [entry.words[0] for entry in ledger.news()] == ["r.6"]


def test_a_line_that_is_written_in_two_reads_is_read_whole(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    with (tmp_path / "ledger").open("ab", buffering=0) as file:
        file.write(b"\n12.5 77 done r.5 ")
        assert ledger.news() == []
        file.write(b"done 1 thread .\n")
    [entry] = ledger.news()
    assert (entry.time, entry.pid, entry.words) == (12.5, 77, ("r.5", "done", "1", "thread"))
