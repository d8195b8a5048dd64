from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarmage.supervisor import systemd
from swarmage.supervisor.systemd import Systemd

from ..fakes import SECONDS


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """What systemd is: a datagram socket at a path."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as there:
        there.bind(str(tmp_path / "notify"))
        there.settimeout(SECONDS)
        yield there


def test_a_state_is_one_datagram(listener: socket.socket) -> None:
    told = Systemd({"NOTIFY_SOCKET": listener.getsockname()})
    told.tell("READY=1")
    told.tell("STOPPING=1")
    assert [listener.recv(100), listener.recv(100)] == [b"READY=1", b"STOPPING=1"]


def test_an_abstract_socket_is_found_too() -> None:
    name = f"swarmage-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as there:
        there.bind("\0" + name)
        there.settimeout(SECONDS)
        Systemd({"NOTIFY_SOCKET": f"@{name}"}).tell("READY=1")
        assert there.recv(100) == b"READY=1"


def test_without_systemd_nobody_is_told_and_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    Systemd({}).tell("READY=1")
    assert caplog.text == ""


def test_a_socket_that_is_gone_is_logged_once_and_hurts_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told = Systemd({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    told.tell("READY=1")
    told.tell("WATCHDOG=1")
    assert len(caplog.records) == 1
    assert "NOTIFY_SOCKET" in caplog.text


def test_a_systemd_that_does_not_read_holds_up_nobody_for_long(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(systemd, "SEND_SECONDS", 0.05)
    told = Systemd({"NOTIFY_SOCKET": listener.getsockname()})
    sent = 0
    while not caplog.records:
        told.tell("WATCHDOG=1")
        sent += 1
        assert sent < 100_000
    assert "does not read; it was not told WATCHDOG=1" in caplog.text
    for _ in range(sent - 1):
        listener.recv(100)
    told.tell("STOPPING=1")  # the next one is tried again
    assert listener.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize(
    ("pid", "microseconds", "seconds"),
    [
        (None, "60000000", 60.0),
        (os.getpid(), "1500000", 1.5),
        (os.getpid() + 1, "60000000", None),
        (None, None, None),
        (None, "0", None),
        (None, "-1", None),
        (None, "soon", None),
    ],
    ids=["any process", "this process", "another process", "not said", "none", "negative", "no number"],
)
def test_the_watchdog_is_ours_or_none(pid: int | None, microseconds: str | None, seconds: float | None) -> None:
    said = {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_PID": pid, "WATCHDOG_USEC": microseconds}
    environment = {name: str(value) for name, value in said.items() if value is not None}
    assert Systemd(environment).watchdog_seconds == seconds
