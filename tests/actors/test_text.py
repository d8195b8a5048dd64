from __future__ import annotations

import os
import random
import socket
from pathlib import Path

import pytest

from actors import text


def write(path: Path, content: bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return str(path)


def test_a_file_is_counted_in_lines_and_lower_cased_words(tmp_path: Path) -> None:
    path = write(tmp_path / "a", b"One two\nTWO three_3 two's\n")
    assert text.count_file(path) == {"lines": 2, "words": {"one": 1, "two": 3, "three_3": 1, "s": 1}}


def test_a_last_line_without_a_newline_is_no_line(tmp_path: Path) -> None:
    assert text.count_file(write(tmp_path / "a", b"one\ntwo")) == {"lines": 1, "words": {"one": 1, "two": 1}}


@pytest.mark.parametrize(("content", "lines"), [(b"a\r\nb\r\n", 2), (b"a\rb\r", 0), (b"a\n\rb", 1), (b"", 0)])
def test_newlines_are_counted_as_they_stand_in_the_file(tmp_path: Path, content: bytes, lines: int) -> None:
    count = text.count_file(write(tmp_path / "a", content))
    assert count is not None
    assert count["lines"] == lines


def test_each_word_is_lowered_by_itself_as_python_does(tmp_path: Path) -> None:
    source = "ΑΣ İstanbul Straße ΑΣ"
    count = text.count_file(write(tmp_path / "a", source.encode()))
    assert count == {"lines": 0, "words": {"ας": 2, "İstanbul".lower(): 1, "straße": 1}}


@pytest.mark.parametrize("content", [b"caf\xe9\n", b"fine\n" * 100_000 + b"\xff", b"\x80", b"\xed\xa0\x80"])
def test_a_file_that_is_not_utf8_is_no_text_however_late_that_shows(tmp_path: Path, content: bytes) -> None:
    assert text.count_file(write(tmp_path / "a", content)) is None


def test_a_file_that_vanished_is_no_text(tmp_path: Path) -> None:
    assert text.count_file(str(tmp_path / "gone")) is None


@pytest.mark.parametrize("seed", range(20))
def test_reading_in_pieces_counts_what_reading_at_once_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rng = random.Random(seed)
    source = "".join(rng.choice("aB é_7ß€😀.\n\n\r") for _ in range(500))
    path = write(tmp_path / "a", source.encode())
    whole = text.count_file(path)
    monkeypatch.setattr(text, "CHUNK", rng.randint(1, 40))
    assert text.count_file(path) == whole


def test_a_folder_is_walked_in_order_with_regular_files_only(tmp_path: Path) -> None:
    for name in ("b/2", "b/1", "a", "c/d/e", ".hidden"):
        write(tmp_path / name, b"x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "to_file").symlink_to(tmp_path / "a")
    (tmp_path / "to_folder").symlink_to(tmp_path / "b")
    (tmp_path / "to_nothing").symlink_to(tmp_path / "nothing")
    (tmp_path / "round").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    files = [os.path.relpath(file, tmp_path) for file in text.list_files(str(tmp_path))]
    assert files == [".hidden", "a", "to_file", "b/1", "b/2", "c/d/e"]


def test_a_single_file_is_a_list_of_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a", b"x")
    assert text.list_files(path) == [path]


def test_a_path_that_is_not_there_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing: no such file or folder on the machine of this drone"):
        text.list_files(str(tmp_path / "nothing"))


def test_a_path_that_is_a_socket_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "s"))
        with pytest.raises(ValueError, match="neither a folder nor a regular file"):
            text.list_files(str(tmp_path / "s"))


def test_a_tally_adds_files_up_and_counts_the_skipped_apart() -> None:
    tally = text.Tally()
    tally.add({"lines": 2, "words": {"b": 2, "a": 1}})
    tally.add(None)
    tally.add({"lines": 1, "words": {"a": 1, "c": 2}})
    assert tally.report() == {
        "files": 2,
        "skipped": 1,
        "lines": 3,
        "words": 6,
        "top": [("a", 2), ("b", 2), ("c", 2)],
    }


def test_the_top_is_by_count_then_by_word() -> None:
    words = {"d": 1, "b": 3, "a": 3, "c": 9}
    assert text.most_frequent(words, 3) == [("c", 9), ("a", 3), ("b", 3)]
    assert len(text.most_frequent({str(number): 1 for number in range(50)}, text.TOP)) == 10
