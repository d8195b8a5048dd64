from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.text import Census
from swarmage import Progress, TaskFailed
from swarmage.testing.swarm import Swarm

LONG = 120.0
LEFT_OUT = ("site-packages", "dist-packages", "test", "tests", "idlelib", "config-*")


@pytest.fixture(autouse=True)
def cell(swarm: Swarm) -> None:
    swarm.start(Census)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of Python's own standard library without what others installed into it: real text, and not too much."""
    folder = tmp_path_factory.mktemp("library") / "python"
    stdlib = sysconfig.get_paths()["stdlib"]
    return Path(shutil.copytree(stdlib, folder, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT)))


def count_plainly(folder: Path) -> dict[str, Any]:
    """Count the way one would at a prompt: everything in memory, one loop."""
    texts, skipped = [], 0
    for place, _, names in os.walk(folder):
        for path in (Path(place) / name for name in names):
            if path.is_file():
                try:
                    texts.append(path.read_bytes().decode())
                except UnicodeDecodeError:
                    skipped += 1
    words = Counter(word.lower() for text in texts for word in re.findall(r"\w+", text))
    top = sorted(words.items(), key=lambda item: (-item[1], item[0]))[:10]
    lines = sum(text.count("\n") for text in texts)
    return {"files": len(texts), "skipped": skipped, "lines": lines, "words": words.total(), "top": top}


def test_a_census_of_the_standard_library_counts_what_a_plain_loop_counts(swarm: Swarm, library: Path) -> None:
    seen: list[Progress] = []
    report = swarm.insert(Census.census, str(library)).result(timeout=LONG, progress=seen.append)
    expected = count_plainly(library)
    assert expected["files"] > 300
    assert expected["skipped"] > 0
    assert report == expected
    assert seen
    assert {progress.total for progress in seen} == {expected["files"] + expected["skipped"]}


@pytest.mark.acceptance
def test_the_command_line_prints_the_same(up: dict[str, str], library: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "swarmage", "send", "text.census", str(library / "json"), "--wait", "--json"],
        env=up,
        capture_output=True,
        check=True,
        timeout=LONG,
    )
    expected = count_plainly(library / "json")
    assert msgspec.json.decode(result.stdout)["result"] == {**expected, "top": [list(pair) for pair in expected["top"]]}


def test_ten_thousand_files_are_one_task(swarm: Swarm, tmp_path: Path) -> None:
    for number in range(10_000):
        folder = tmp_path / str(number % 100)
        folder.mkdir(exist_ok=True)
        (folder / str(number)).write_bytes(b"one two\r\n" if number % 10 else b"\xff")
    report = swarm.insert("text.census", str(tmp_path)).result(timeout=LONG)
    assert report == {
        "files": 9000,
        "skipped": 1000,
        "lines": 9000,
        "words": 18_000,
        "top": [["one", 9000], ["two", 9000]],
    }


def test_a_single_file_and_names_that_are_not_utf8_are_counted(swarm: Swarm, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    (tmp_path / name).write_bytes(b"one\n")
    assert swarm.insert("text.census", str(tmp_path)).result(timeout=LONG)["lines"] == 1
    (tmp_path / "plain").write_bytes(b"one\n")
    assert swarm.insert("text.census", str(tmp_path / "plain")).result(timeout=LONG)["files"] == 1


def test_a_path_that_is_not_there_fails_at_once_and_is_named(swarm: Swarm, tmp_path: Path) -> None:
    with pytest.raises(TaskFailed, match="nothing: no such file or folder on the machine of this drone") as failed:
        swarm.insert(Census.census, str(tmp_path / "nothing")).result(timeout=LONG)
    assert failed.value.kind == "FileNotFoundError"
