from __future__ import annotations

import pytest

from swarmage.broker.limits import Limits

from ..driver import Bus


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"destination": "/exchange/a"},
        {"destination": "/queue/"},
        {"destination": "/queue/a", "priority": "high"},
        {"destination": "/queue/a", "delay": "-1"},
        {"destination": "/queue/a", "expires": "1e3"},
        {"destination": "/reply-queue/x.y"},
        {"destination": "/temp-queue/x"},
    ],
)
def test_a_send_that_cannot_be_done_is_an_error(bus: Bus, headers: dict[str, str]) -> None:
    client = bus.client()
    client.send("SEND", {**headers, "receipt": "7"}, b"x")
    assert client.frames[0].headers["receipt-id"] == "7"
    assert client.error()


@pytest.mark.parametrize(
    "headers",
    [
        {"id": "1"},
        {"destination": "/queue/a"},
        {"destination": "/queue/a", "id": "1", "ack": "maybe"},
        {"destination": "/queue/a", "id": "1", "prefetch-count": "x"},
        {"destination": "/reply-queue/x", "id": "1"},
        {"destination": "/topic/a", "id": "1", "browser": "true"},
    ],
)
def test_a_subscription_that_cannot_be_made_is_an_error(bus: Bus, headers: dict[str, str]) -> None:
    client = bus.client()
    client.send("SUBSCRIBE", headers)
    assert client.error()


def test_a_subscription_id_is_used_once_at_a_time(bus: Bus) -> None:
    client = bus.client()
    client.subscribe("/queue/a")
    client.send("UNSUBSCRIBE", {"id": "1"})
    client.subscribe("/queue/a")
    client.subscribe("/queue/b")
    assert "already" in client.error()


def test_1_0_may_subscribe_without_an_id(bus: Bus) -> None:
    client = bus.client("1.0")
    client.send("SUBSCRIBE", {"destination": "/queue/a"})
    client.put("/queue/a", b"1")
    assert "subscription" not in client.take().headers
    client.send("UNSUBSCRIBE", {"destination": "/queue/a"})
    client.put("/queue/a", b"2")
    assert client.frames == []


def test_too_many_subscriptions_are_refused() -> None:
    client = Bus(limits=Limits(subscriptions=1)).client()
    client.subscribe("/queue/a")
    client.subscribe("/queue/b", "2")
    assert "subscriptions" in client.error()


@pytest.mark.parametrize("frame", [b"HELLO\n\n\0", b"ACK\nid:1\n\nbody\0", b"UNSUBSCRIBE\nid:9\n\n\0", b"send\n\n\0"])
def test_a_frame_that_makes_no_sense_is_an_error(bus: Bus, frame: bytes) -> None:
    client = bus.client()
    client.feed(frame)
    assert client.error()


def test_an_error_ends_the_connection_and_later_frames_are_ignored(bus: Bus) -> None:
    client, other = bus.client(), bus.client()
    client.feed(b"HELLO\n\n\0SEND\ndestination:/queue/a\n\nx\0")
    client.put("/queue/a", b"y")
    client.error()
    other.subscribe("/queue/a")
    assert other.frames == []


def test_what_the_parser_refuses_is_not_blamed_on_the_frame_before(bus: Bus) -> None:
    client = bus.client()
    client.feed(b"SEND\ndestination:/queue/a\nreceipt:ok\n\n\0SEND\nbad\n\n\0")
    error = next(frame for frame in client.frames if frame.command == "ERROR")
    assert "receipt-id" not in error.headers
