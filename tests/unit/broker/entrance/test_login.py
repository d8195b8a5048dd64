from __future__ import annotations

import logging

import pytest

from swarmage.broker.entrance.door import FIRST_DELAY
from swarmage.broker.limits import Limits

from ..driver import Bus, Client


def connect(bus: Bus, head: str) -> Client:
    client = Client(bus)
    client.feed(head.encode())
    return client


@pytest.mark.parametrize(
    ("offered", "agreed"), [("1.0,1.1,1.2", "1.2"), ("1.1,1.0", "1.1"), ("1.0", "1.0"), ("1.3,1.2", "1.2")]
)
def test_the_highest_common_version_is_chosen(bus: Bus, offered: str, agreed: str) -> None:
    headers = connect(bus, f"CONNECT\naccept-version:{offered}\nhost:x\n\n\0").take("CONNECTED").headers
    assert headers["version"] == agreed
    assert headers["server"] == "swarmage/0.1.0"
    assert headers["heart-beat"] == "0,0"
    assert headers["session"]


def test_a_client_that_names_no_version_speaks_1_0(bus: Bus) -> None:
    assert connect(bus, "STOMP\n\n\0").take("CONNECTED").headers["version"] == "1.0"


def test_no_common_version_is_an_error_that_names_ours(bus: Bus) -> None:
    client = connect(bus, "CONNECT\naccept-version:2.0\n\n\0")
    assert client.frames[0].headers["version"] == "1.0,1.1,1.2"
    client.error()


def test_frames_behind_a_connect_in_the_same_read_are_decoded_by_its_version(bus: Bus) -> None:
    client = connect(bus, "CONNECT\naccept-version:1.0\n\n\0SEND\ndestination:/queue/a\nx:\\t\nreceipt:1\n\n\0")
    client.take("CONNECTED")
    assert client.take("RECEIPT").headers["receipt-id"] == "1"


def test_another_first_frame_is_refused(bus: Bus) -> None:
    assert "not logged in" in connect(bus, "SEND\ndestination:a\nreceipt:7\n\n\0").error()


def test_a_second_connect_is_refused(bus: Bus) -> None:
    client = bus.client()
    client.send("CONNECT")
    assert "already" in client.error()


@pytest.mark.parametrize("login", ["login:a\npasscode:x\n", "login:b\npasscode:\n", "", "login:a\n"])
def test_a_wrong_login_is_refused_and_its_passcode_not_logged(login: str, caplog: pytest.LogCaptureFixture) -> None:
    bus = Bus(users={"a": "secret:\\t "})
    with caplog.at_level(logging.DEBUG):
        client = connect(bus, f"CONNECT\naccept-version:1.2\n{login}\n\0")
        assert not client.finished
        bus.advance(FIRST_DELAY)
        assert "login" in client.error()
    assert "login refused" in caplog.text
    assert "passcode:x" not in caplog.text


def test_the_right_passcode_is_taken_literally() -> None:
    bus = Bus(users={"a": "secret:\\t "})
    connect(bus, "CONNECT\naccept-version:1.2\nlogin:a\npasscode:secret:\\t \n\n\0").take("CONNECTED")


def test_control_characters_of_a_login_do_not_reach_the_log(caplog: pytest.LogCaptureFixture) -> None:
    connect(Bus(users={"a": "b"}), "CONNECT\nlogin:\x1b[31m\n\n\0")
    assert "\x1b" not in caplog.text


def test_who_does_not_log_in_in_time_is_closed(bus: Bus) -> None:
    client = Client(bus)
    bus.advance(4.75)
    assert not client.finished
    bus.advance(0.5)
    assert "no CONNECT" in client.error()


def test_one_connection_too_many_is_told_so() -> None:
    bus = Bus(limits=Limits(connections=1))
    first = bus.client()
    second = Client(bus)
    bus.settle()
    assert "connections" in second.error()
    first.lose()
    bus.client()


@pytest.mark.parametrize("beats", ["1", "a,b", "-1,0", "1,2,3"])
def test_a_malformed_heart_beat_is_refused(bus: Bus, beats: str) -> None:
    assert "heart-beat" in connect(bus, f"CONNECT\nheart-beat:{beats}\n\n\0").error()


def test_the_bus_beats_as_often_as_the_client_wants(bus: Bus) -> None:
    client = connect(bus, "CONNECT\naccept-version:1.2\nheart-beat:0,1000\n\n\0")
    assert client.take("CONNECTED").headers["heart-beat"] == "1000,0"
    client.raw = b""
    bus.advance(10)
    assert set(client.raw) == {ord("\n")}
    assert len(client.raw) >= 10


def test_a_silent_client_is_dropped_after_two_and_a_half_intervals(bus: Bus) -> None:
    client = connect(bus, "CONNECT\naccept-version:1.2\nheart-beat:1000,0\n\n\0")
    client.take("CONNECTED")
    bus.advance(2.5)
    assert not client.finished
    bus.advance(0.25)
    assert "no sign of life" in client.error()


def test_any_byte_counts_as_a_sign_of_life(bus: Bus) -> None:
    client = connect(bus, "CONNECT\naccept-version:1.2\nheart-beat:1000,0\n\n\0")
    for _ in range(5):
        bus.advance(2)
        client.feed(b"\n")
    assert not client.finished


def test_a_bus_that_was_held_up_itself_forgives_silence_once(bus: Bus) -> None:
    client = connect(bus, "CONNECT\naccept-version:1.2\nheart-beat:1000,0\n\n\0")
    bus.clock.now += 60
    bus.hub.tick()
    client.feed(b"\n")
    bus.advance(1)
    assert not client.finished
