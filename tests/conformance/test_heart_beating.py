from __future__ import annotations

import pytest

from tests.unit.broker.driver import Bus, Client, HeldStore

from .talk import greet


def agree(bus: Bus, beats: str, version: str = "1.2") -> Client:
    return greet(bus, {"accept-version": version, "host": "h", "heart-beat": beats})


@pytest.mark.parametrize(
    "beats",
    [
        "",
        "0",
        "1000",
        "a,b",
        "-1,0",
        "0,-1000",
        "+1,0",
        "1.5,0",
        "0,1e3",
        "1,2,3",
        "0,",
        ",0",
        ",",
        "0;0",
        "٣,0",
        "0x1,0",
    ],
)
def test_a_malformed_heart_beat_is_a_protocol_error(bus: Bus, beats: str) -> None:
    """STOMP 1.2, "Heart-beating"; checklist 22."""
    assert "heart-beat" in agree(bus, beats).error()


def test_a_heart_beat_of_two_whole_numbers_is_answered_with_two(bus: Bus) -> None:
    """STOMP 1.2, "Heart-beating"; checklist 22."""
    for beats in ("0,0", "1000,2000", "0,999999999999999", "1,1"):
        ours = agree(bus, beats).take("CONNECTED").headers["heart-beat"].split(",")
        assert len(ours) == 2
        assert all(number.isdigit() for number in ours)


def test_a_client_that_does_not_mention_heart_beats_neither_gets_nor_owes_any(bus: Bus) -> None:
    """STOMP 1.2, "Heart-beating"; checklist 23."""
    client = greet(bus, {"accept-version": "1.2", "host": "h"})
    assert client.take("CONNECTED").headers["heart-beat"] == "0,0"
    written = len(client.raw)
    bus.advance(3_600)
    assert not client.finished
    assert len(client.raw) == written


@pytest.mark.parametrize(("beats", "owes"), [("0,0", False), ("0,1000", False), ("1000,0", True), ("1000,1000", True)])
def test_a_client_owes_beats_only_if_it_offered_them(bus: Bus, beats: str, owes: bool) -> None:
    """STOMP 1.2, "Heart-beating"; checklist 24."""
    client = agree(bus, beats)
    bus.advance(60)
    assert client.finished is owes


@pytest.mark.parametrize(("beats", "gets"), [("0,0", False), ("1000,0", False), ("0,1000", True), ("1000,1000", True)])
def test_a_client_gets_beats_only_if_it_wants_them(bus: Bus, beats: str, gets: bool) -> None:
    """STOMP 1.2, "Heart-beating"; checklist 24."""
    client = agree(bus, beats)
    bus.advance(2)
    assert client.raw.endswith(b"\n") is gets


@pytest.mark.parametrize("milliseconds", [1, 500, 1_000, 60_000, 10 * 86_400_000])
def test_each_side_beats_at_the_slower_pace_of_both(bus: Bus, milliseconds: int) -> None:
    """STOMP 1.2, "Heart-beating"; checklist 24."""
    client = agree(bus, f"{milliseconds},{milliseconds}")
    sends, wants = (int(number) for number in client.take("CONNECTED").headers["heart-beat"].split(","))
    promised, expected = max(sends, milliseconds) / 1000, max(wants, milliseconds) / 1000
    pulse = client.session.pulse
    assert pulse.promised <= promised  # more often than promised is allowed
    assert pulse.expected >= expected


def test_the_bus_is_never_silent_for_longer_than_it_promised(bus: Bus) -> None:
    """STOMP 1.2, "Heart-beating"; checklist 25."""
    client = agree(bus, "0,1000")
    for _ in range(20):
        written = len(client.raw)
        bus.advance(1.0)
        assert set(client.raw[written:]) == set(b"\n")


def test_no_beat_is_due_where_frames_were_sent(bus: Bus) -> None:
    """STOMP 1.2, "Heart-beating"; checklist 25."""
    client = agree(bus, "0,1000")
    client.subscribe("/queue/a")
    for _ in range(20):
        client.put("/queue/a", b"x")
        bus.advance(0.5)
    assert b"\0\n" not in client.raw


@pytest.mark.parametrize("life", [b"\n", b"\r\n", b"S", b"\0"])
def test_any_octet_counts_as_life(bus: Bus, life: bytes) -> None:
    """STOMP 1.2, "Heart-beating"; checklist 26."""
    client = agree(bus, "1000,0")
    for _ in range(10):
        bus.advance(1.0)
        client.feed(life)
    assert not client.finished


def test_a_slow_frame_counts_as_life_while_it_comes(bus: Bus) -> None:
    """STOMP 1.2, "Heart-beating"; checklist 26."""
    client = agree(bus, "1000,0")
    client.take("CONNECTED")
    for octet in b"SEND\ndestination:/queue/a\nreceipt:1\n\nx\0":
        bus.advance(1.0)
        client.feed(bytes([octet]))
    client.take("RECEIPT")


def test_the_bus_is_patient_with_a_beat_that_is_late_and_not_for_ever(bus: Bus) -> None:
    """STOMP 1.2, "Heart-beating"; checklist 26."""
    client = agree(bus, "1000,0")
    client.take("CONNECTED")
    bus.advance(2.0)
    assert not client.finished
    bus.advance(1.0)
    assert "no sign of life" in client.error()


def test_a_client_that_said_disconnect_owes_no_more_beats() -> None:
    """STOMP 1.2, "Heart-beating" and "DISCONNECT"; checklist 26, 45."""
    store = HeldStore()
    bus = Bus(store=store)
    client = agree(bus, "500,0")
    client.take("CONNECTED")
    client.put("/queue/a", b"x")
    client.send("DISCONNECT", {"receipt": "bye"})
    bus.advance(60)
    assert client.frames == []
    store.commit()
    bus.settle()
    if not client.frames:  # the receipt may wait for a batch of its own
        store.commit()
        bus.settle()
    assert client.take("RECEIPT").headers["receipt-id"] == "bye"
