"""What the specification does not ask for and clients of today need all the same."""

from __future__ import annotations

import pytest

from tests.unit.broker.driver import Bus, Client

from .talk import greet


@pytest.mark.parametrize("host", [{"host": ""}, {"host": "127.0.0.1"}, {"host": "/"}, {"host": "x y:z"}, {}])
def test_any_host_is_served(bus: Bus, host: dict[str, str]) -> None:
    greet(bus, {"accept-version": "1.2", **host}).take("CONNECTED")


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_connected_always_says_something_about_heart_beats(bus: Bus, version: str) -> None:
    assert greet(bus, {"accept-version": version}).take("CONNECTED").headers["heart-beat"] == "0,0"


@pytest.mark.parametrize("noise", [b"\n", b"\0", b"\r\n", b"\r", b"\0\n\0\n", b"\n" * 1000, b"\0" * 1000])
def test_noise_between_frames_is_skipped(bus: Bus, noise: bytes) -> None:
    client = Client(bus)
    client.feed(noise + b"CONNECT\naccept-version:1.2\nhost:h\n\n\0" + noise)
    client.take("CONNECTED")
    client.parser.log_in("1.2")
    client.feed(noise + b"BEGIN\ntransaction:t\nreceipt:1\n\n\0" + noise + b"COMMIT\ntransaction:t\nreceipt:2\n\n\0")
    assert [client.take("RECEIPT").headers["receipt-id"], client.take("RECEIPT").headers["receipt-id"]] == ["1", "2"]


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_a_value_may_hold_raw_colons(bus: Bus, version: str) -> None:
    client = bus.client(version)
    client.subscribe("/queue/a")
    client.send("SEND", {"destination": "/queue/a", "url": "stomp://h:61613/", "receipt": "a:b"})
    assert client.take("RECEIPT").headers["receipt-id"] == "a:b"
    assert client.take().headers["url"] == "stomp://h:61613/"
    assert b"\nurl:stomp\\c//h\\c61613/\n" in client.raw


def test_a_bare_name_is_a_queue(bus: Bus) -> None:
    client = bus.client()
    client.subscribe("foo")
    client.put("/queue/foo", b"1")
    client.put("foo", b"2")
    assert client.bodies() == [b"1", b"2"]


def test_no_two_line_ends_stand_before_a_frame(bus: Bus) -> None:
    """One client drops the frame behind them."""
    client = greet(bus, {"accept-version": "1.2", "heart-beat": "0,500"})
    writes: list[bytes] = []
    client.write = writes.append  # type: ignore[method-assign]
    client.subscribe("/queue/a")
    for _ in range(10):
        client.put("/queue/a", b"x")
        bus.advance(0.5)
        client.put("/queue/a", b"x")
    assert b"\n" in writes
    assert not [data for data in writes if data.startswith(b"\n") and data != b"\n"]


def test_the_options_of_other_brokers_are_understood_or_ignored(bus: Bus) -> None:
    client = bus.client()
    client.send(
        "SUBSCRIBE",
        {"id": "1", "destination": "/queue/a", "ack": "client", "activemq.prefetchSize": 1, "durable": "true"},
    )
    for _ in range(2):
        client.send("SEND", {"destination": "/queue/a", "persistent": "true", "x-queue-type": "quorum"}, b"x")
    assert client.bodies() == [b"x"]
