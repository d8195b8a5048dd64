from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarmage.errors import ConfigError
from swarmage.supervisor.sign_of_life import EVERY_SECONDS, SignOfLife


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as there:
        there.bind(str(tmp_path / "notify"))
        there.setblocking(False)
        yield there


def heard(listener: socket.socket) -> list[bytes]:
    """Return all that has been said so far."""
    said = []
    while True:
        try:
            said.append(listener.recv(100))
        except BlockingIOError:
            return said


def test_systemd_hears_of_the_beginning_of_the_life_and_of_the_end(listener: socket.socket) -> None:
    sign = SignOfLife(environment={"NOTIFY_SOCKET": listener.getsockname(), "WATCHDOG_USEC": "60000000"})
    sign.prepare()
    sign.beat()
    assert heard(listener) == []  # not ready yet
    sign.ready()
    sign.ready()
    assert heard(listener) == [b"READY=1", b"WATCHDOG=1"]
    sign.beat()
    assert heard(listener) == [b"WATCHDOG=1"]
    sign.stopping()
    sign.stopping()
    sign.close()
    assert heard(listener) == [b"STOPPING=1"]


def test_a_systemd_without_a_watchdog_hears_no_beats(listener: socket.socket) -> None:
    sign = SignOfLife(environment={"NOTIFY_SOCKET": listener.getsockname()})
    sign.ready()
    sign.beat()
    assert heard(listener) == [b"READY=1"]


def test_the_file_is_there_from_ready_to_the_end_and_changes_with_each_beat(tmp_path: Path) -> None:
    file = tmp_path / "alive"
    sign = SignOfLife(file, {})
    sign.prepare()
    sign.beat()
    assert not file.exists()
    sign.ready()
    os.utime(file, (1, 1))
    sign.beat()
    assert file.stat().st_mtime > 1
    sign.close()
    sign.close()
    assert not file.exists()


def test_a_file_that_an_earlier_process_left_says_nothing_of_this_one(tmp_path: Path) -> None:
    file = tmp_path / "alive"
    file.touch()
    SignOfLife(file, {}).prepare()
    assert not file.exists()


def test_a_file_that_cannot_be_made_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the alive file .*/nowhere/alive cannot be made: No such file"):
        SignOfLife(tmp_path / "nowhere" / "alive", {}).prepare()


def test_a_file_that_cannot_be_touched_any_more_is_logged_once_each_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    sign = SignOfLife(folder / "alive", {})
    sign.ready()
    for _ in range(2):
        (folder / "alive").unlink()
        folder.rmdir()
        sign.beat()
        sign.beat()
        folder.mkdir()
        sign.beat()
    assert caplog.text.count("cannot be touched") == 2


@pytest.mark.parametrize(("microseconds", "every"), [("60000000", EVERY_SECONDS), ("3000000", 1.0)])
def test_a_short_watchdog_is_told_more_often(microseconds: str, every: float) -> None:
    assert SignOfLife(environment={"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": microseconds}).every == every
