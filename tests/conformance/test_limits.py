"""Every cap of the bus, and what it says to a client that exceeds it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from swarmage.broker.limits import Limits
from tests.unit.broker.driver import Bus, Client

from .talk import take_all

SMALL = Limits(
    body_bytes=100,
    headers=5,
    head_bytes=300,
    login_bytes=200,
    login_seconds=2,
    connections=3,
    subscriptions=2,
    temporary_queues=3,
    transactions=2,
    transaction_bytes=1_000,
    private_backlog=3,
)


@pytest.fixture
def small() -> Bus:
    return Bus(limits=SMALL)


@pytest.mark.parametrize("counted", [True, False])
def test_a_body_too_long_is_refused(small: Bus, counted: bool) -> None:
    """STOMP 1.2, "Size Limits"; checklist 14."""
    client = small.client()
    for size in (100, 101):
        length: Mapping[str, int] = {"content-length": size} if counted else {}
        client.send("SEND", {"destination": "/queue/a", **length}, b"x" * size)
        assert client.finished is (size == 101)
    assert client.error() == "the body is longer than 100 bytes"


@pytest.mark.parametrize("length", ["101", "999999999999999"])
def test_a_body_too_long_is_refused_before_it_is_sent(small: Bus, length: str) -> None:
    """STOMP 1.2, "Size Limits"; checklist 14."""
    client = small.client()
    client.feed(f"SEND\ndestination:/queue/a\ncontent-length:{length}\n\n".encode())
    assert client.error() == "the body is longer than 100 bytes"


def test_a_body_without_length_and_end_is_refused(small: Bus) -> None:
    """STOMP 1.2, "Size Limits"; checklist 14."""
    client = small.client()
    client.feed(b"SEND\ndestination:/queue/a\n\n")
    for _ in range(500):
        client.feed(b"x")
    assert client.error() == "the frame is too long"


def test_too_many_headers_are_refused(small: Bus) -> None:
    """STOMP 1.2, "Size Limits"; checklist 14."""
    client = small.client()
    client.send("SEND", {"destination": "/queue/a", "a": "", "b": "", "c": "", "d": ""})
    assert not client.finished
    client.feed(b"SEND\ndestination:/queue/a\na:\na:\na:\na:\na:\n\n\0")
    assert client.error() == "the frame has more than 5 headers"


def test_headers_too_long_are_refused(small: Bus) -> None:
    """STOMP 1.2, "Size Limits"; checklist 14."""
    client = small.client()
    client.send("SEND", {"destination": "/queue/a", "k": "x" * 200})
    assert not client.finished
    client.send("SEND", {"destination": "/queue/a", "k": "x" * 300})
    assert client.error() == "the headers are too long"


@pytest.mark.parametrize("start", [b"SEND\nk:", b"", b"SEND\n"])
def test_headers_without_end_are_refused(small: Bus, start: bytes) -> None:
    """STOMP 1.2, "Size Limits"; checklist 14."""
    client = small.client()
    client.feed(start)
    for _ in range(301):
        client.feed(b"x")
    assert client.error() == "the frame is too long"


def test_before_the_login_there_is_little_room(small: Bus) -> None:
    """STOMP 1.2, "Size Limits"; checklist 14."""
    whole, piecemeal, body = Client(small), Client(small), Client(small)
    whole.send("CONNECT", {"accept-version": "1.2", "k": "x" * 200})
    assert whole.error() == "the headers are too long"
    for _ in range(201):
        piecemeal.feed(b"C")
    assert piecemeal.error() == "the frame is too long"
    body.send("CONNECT", {"accept-version": "1.2", "content-length": 201}, b"x" * 201)
    assert body.error() == "the body is longer than 200 bytes"


@pytest.mark.parametrize("octets", [b"CONNECT\naccept-version:1.2\nhost:h", b"\n" * 30, b""])
def test_the_login_has_a_deadline_that_slow_bytes_do_not_move(small: Bus, octets: bytes) -> None:
    """STOMP 1.2, "Size Limits"; checklist 14."""
    client = Client(small)
    for number in range(12):
        client.feed(octets[number : number + 1])
        small.advance(0.25)
    assert client.error() == "no CONNECT within 2 s"


def test_a_client_that_logged_in_has_no_deadline(small: Bus) -> None:
    client = small.client()
    small.advance(100)
    assert not client.finished


def test_connections_are_counted_and_those_that_ended_are_not(small: Bus) -> None:
    """STOMP 1.2, "Size Limits"; checklist 14."""
    clients = [small.client() for _ in range(3)]
    late = Client(small)
    small.settle()
    assert late.error() == "the bus has 3 connections already"
    for client in clients:
        client.lose()
        assert small.client().frames == []
        small.hub.sessions.popitem()[1].lost()


@pytest.mark.parametrize(
    "more", [{}, {"browser": "true"}, {"destination": "/topic/a"}, {"destination": "/temp-queue/a"}]
)
def test_too_many_subscriptions_are_refused(small: Bus, more: dict[str, str]) -> None:
    """STOMP 1.2, "Size Limits"; checklist 14."""
    client = small.client()
    for number in range(3):
        client.send("SUBSCRIBE", {"destination": "/queue/a", "id": f"{number}", **more, "receipt": f"{number}"})
    assert [frame.command for frame in client.frames if frame.command != "MESSAGE"] == ["RECEIPT", "RECEIPT", "ERROR"]
    assert client.frames[-1].headers["message"] == "more than 2 subscriptions"


def test_replies_to_temporary_queues_count_as_subscriptions(small: Bus) -> None:
    """STOMP 1.2, "Size Limits"; checklist 14."""
    client = small.client()
    for number in range(3):
        client.put("/queue/a", reply_to=f"/temp-queue/{number}")
    assert client.error() == "more than 2 subscriptions"


def test_too_many_temporary_queues_are_refused(small: Bus) -> None:
    client = small.client()
    for name in "abcabc":
        client.subscribe(f"/temp-queue/{name}")
        client.send("UNSUBSCRIBE", {"id": "1"})
    assert not client.finished
    client.put("/queue/a", reply_to="/temp-queue/d")
    assert client.error() == "more than 3 temporary queues"


def test_too_many_open_transactions_are_refused(small: Bus) -> None:
    """STOMP 1.2, "Size Limits"; checklist 14."""
    client = small.client()
    for number in range(5):
        client.send("BEGIN", {"transaction": number})
        client.send("ABORT", {"transaction": number})
    client.send("BEGIN", {"transaction": "a"})
    client.send("BEGIN", {"transaction": "b"})
    assert not client.finished
    client.send("BEGIN", {"transaction": "c"})
    assert client.error() == "more than 2 open transactions"


def test_transactions_hold_back_only_so_much(small: Bus) -> None:
    """STOMP 1.2, "Size Limits"; checklist 14."""
    client = small.client()
    client.send("BEGIN", {"transaction": "a"})
    client.send("BEGIN", {"transaction": "b"})
    for number in range(4):
        assert not client.finished
        client.put("/queue/a", b"x" * 50, transaction="ab"[number % 2])
    assert client.error() == "transactions hold more than 1000 bytes"
    assert take_all(small, "/queue/a") == []


def test_headers_of_a_held_back_ack_count_too(small: Bus) -> None:
    """STOMP 1.2, "Size Limits"; checklist 14."""
    client = small.client()
    client.subscribe("/queue/a", ack="client")
    client.put("/queue/a", b"x")
    message = client.take()
    client.send("BEGIN", {"transaction": "t"})
    for _ in range(3):
        assert not client.finished
        client.ack(message, transaction="t", k="x" * 200)
    assert client.error() == "transactions hold more than 1000 bytes"


def test_a_listener_too_slow_for_its_topic_is_told_so(small: Bus) -> None:
    client, fast, sender = small.client(), small.client(), small.client()
    client.subscribe("/topic/a", ack="client-individual", prefetch_count=1)
    fast.subscribe("/topic/a")
    for _ in range(5):
        sender.put("/topic/a", b"x")
    client.take()
    assert "you are too slow: more than 3 messages wait for you" in client.error()
    assert len(fast.bodies()) == 5


@pytest.mark.parametrize("topic", ["/topic/" + "*." * 200, "/topic/" + "a" * 300])
def test_a_topic_to_subscribe_to_is_not_endless(bus: Bus, topic: str) -> None:
    client = bus.client()
    client.subscribe(topic)
    assert client.error() == f"a destination's name is longer than 255 bytes: '{topic[7:47]}'..."


@pytest.mark.parametrize("kind", ["/queue/", "", "/topic/", "/temp-queue/"])
@pytest.mark.parametrize("command", ["SUBSCRIBE", "SEND"])
def test_a_name_is_not_endless(bus: Bus, kind: str, command: str) -> None:
    for name, fits in (("a" * 255, True), ("ä" * 127, True), ("a" * 256, False), ("ä" * 128, False)):
        client = bus.client()
        if kind == "/temp-queue/" and command == "SEND":
            client.put("/queue/other", reply_to=kind + name)
        else:
            client.send(command, {"destination": kind + name, "id": "1"})
        assert client.finished is not fits
        if not fits:
            assert client.error() == f"a destination's name is longer than 255 bytes: {name[:40]!r}..."


def test_the_dead_letters_of_the_longest_name_can_be_read(bus: Bus) -> None:
    client = bus.client()
    name = "a" * 255
    client.put(f"/queue/{name}", b"x")
    for prefix in ("", "DLQ.", "DLQ.DLQ."):
        client.subscribe(f"/queue/{prefix}{name}", prefix or "1", ack="client")
        client.nack(client.take(), requeue="false")


@pytest.mark.parametrize("kind", ["/queue/", "", "/topic/", "/temp-queue/"])
@pytest.mark.parametrize("name", ["a\\nb", "a\\rb", "a\x1b[2J", "a\x7f", "a\u202eb", "a\x85b"])
def test_a_name_holds_only_what_can_be_printed(bus: Bus, kind: str, name: str) -> None:
    client = bus.client()
    client.send("SUBSCRIBE", {"destination": kind + name, "id": "1"})
    assert "characters that cannot be printed" in client.error()
    other = bus.client()
    other.put("/queue/a" if kind == "/temp-queue/" else kind + name, reply_to=f"{kind}{name}")
    assert other.finished


def test_every_limit_has_a_sensible_default() -> None:
    values = dataclasses.asdict(Limits())
    assert all(value in (None, ()) or value > 0 for value in values.values())
    assert values.keys() >= {
        "body_bytes", "headers", "head_bytes", "login_bytes", "login_seconds", "connections", "subscriptions",
        "transactions", "transaction_bytes", "private_backlog", "output_bytes", "unsaved_bytes",
    }  # fmt: skip
