from __future__ import annotations

import re

import pytest

from swarmage.broker.limits import Limits
from tests.unit.broker.driver import Bus, Client

from .live import Live, Peer
from .talk import greet


@pytest.mark.parametrize("command", ["CONNECT", "STOMP"])
def test_stomp_is_handled_like_connect(bus: Bus, command: str) -> None:
    """STOMP 1.2, "CONNECT or STOMP Frame"; checklist 15."""
    headers = (
        greet(bus, {"accept-version": "1.2", "host": "h", "heart-beat": "1000,0"}, command).take("CONNECTED").headers
    )
    assert (headers["version"], headers["heart-beat"]) == ("1.2", "0,1000")


@pytest.mark.parametrize("command", ["CONNECT", "STOMP"])
def test_a_client_is_logged_in_once(bus: Bus, command: str) -> None:
    """STOMP 1.2, "CONNECT or STOMP Frame"; checklist 15."""
    client = bus.client()
    client.send(command, {"accept-version": "1.2", "host": "h"})
    assert "already" in client.error()


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [
        ("1.0", "1.0"),
        ("1.1", "1.1"),
        ("1.2", "1.2"),
        ("1.2,1.1,1.0", "1.2"),
        ("1.0,1.1", "1.1"),
        ("1.0,2.0", "1.0"),
        ("1.0, 1.1, 1.2", "1.2"),
        ("1.2.1,1.1", "1.1"),
    ],
)
def test_the_highest_common_version_is_used_and_named(bus: Bus, offered: str, agreed: str) -> None:
    """STOMP 1.2, "Protocol Negotiation"; checklist 17."""
    headers = greet(bus, {"accept-version": offered, "host": "h"}).take("CONNECTED").headers
    assert headers["version"] == agreed


@pytest.mark.parametrize("offered", ["", "2.0", "1.3,3", "1", "1.2.1", "12"])
def test_without_a_common_version_the_client_is_told_ours_and_disconnected(bus: Bus, offered: str) -> None:
    """STOMP 1.2, "Protocol Negotiation"; checklist 18."""
    client = greet(bus, {"accept-version": offered, "host": "h"})
    assert client.frames[0].headers["version"] == "1.0,1.1,1.2"
    assert "versions are 1.0,1.1,1.2" in client.error()
    assert client.finished


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"SEND\ndestination:/queue/a\n\nx\0", "CONNECT or STOMP"),
        (b"DISCONNECT\n\n\0", "CONNECT or STOMP"),
        (b"CONNECTED\nversion:1.2\n\n\0", "CONNECT or STOMP"),
        (b"connect\naccept-version:1.2\n\n\0", "CONNECT or STOMP"),
        (b"GET / HTTP/1.1\r\nHost: bus\r\n\r\n\0", "CONNECT or STOMP"),
        (b"CONNECT\naccept-version:1.2\nlogin:eve\npasscode:x\n\n\0", "login and passcode"),
        (b"CONNECT\naccept-version:1.2\nlogin:ann\n\n\0", "login and passcode"),
        (b"CONNECT\naccept-version:1.2\n\n\0", "login and passcode"),
        (b"CONNECT\naccept-version:1.2\nlogin:ann\npasscode: s3cret\n\n\0", "login and passcode"),
    ],
)
def test_a_rejected_client_is_told_why_and_disconnected(frame: bytes, reason: str) -> None:
    """STOMP 1.2, "Connecting"; checklist 19."""
    bus = Bus(users={"ann": "s3cret"})
    client = Client(bus)
    client.feed(frame)
    bus.advance(3)  # a wrong passcode may be answered slowly on purpose
    assert reason in client.error()
    assert client.raw.startswith(b"ERROR\n")
    assert client.finished


def test_the_reason_of_a_rejection_needs_no_escapes(bus: Bus) -> None:
    """STOMP 1.2, "Connecting" and "Value Encoding"; checklist 19, 6.

    Nothing says yet whether this client knows escapes: one that does would stumble over a raw colon, one that does not
    over an escaped one.
    """
    for headers in ({"accept-version": "9"}, {"accept-version": "1.2"}, {}):
        client = greet(bus, headers, "SEND")
        line = re.search(rb"\nmessage:(.*)\n", client.raw)
        assert line is not None
        assert not re.search(rb"[:\\]", line[1])


def test_the_server_header_is_a_name_and_a_version(bus: Bus) -> None:
    """STOMP 1.2, "CONNECTED Frame"; checklist 20."""
    server = greet(bus, {"accept-version": "1.2", "host": "h"}).take("CONNECTED").headers["server"]
    assert re.fullmatch(r"[^/ ]+(/[^/ ]+)?( .*)?", server)


def test_sessions_have_names_of_their_own(bus: Bus) -> None:
    """STOMP 1.2, "CONNECTED Frame"; checklist 20."""
    names = {greet(bus, {"accept-version": "1.2"}).take("CONNECTED").headers["session"] for _ in range(10)}
    assert len(names) == 10


def test_clients_that_come_and_go_quickly_all_get_their_receipt(live: Live) -> None:
    """STOMP 1.2, "Connection Lingering"; checklist 21."""
    for number in range(100):
        with Peer(live) as peer:
            peer.send(
                b"CONNECT\naccept-version:1.2\nhost:h\n\n\0"
                b"SEND\ndestination:/queue/a\n\n%d\0DISCONNECT\nreceipt:bye\n\n\0" % number
            )
            assert peer.frame().command == "CONNECTED"
            assert peer.frame().headers["receipt-id"] == "bye"
            assert peer.closed()
    with Peer(live).log_in() as peer:
        peer.send(b"SUBSCRIBE\nid:1\ndestination:/queue/a\n\n\0")
        assert [int(peer.frame().body) for _ in range(100)] == list(range(100))


def test_clients_that_leave_without_waiting_are_served_all_the_same(live: Live) -> None:
    """STOMP 1.2, "Connection Lingering"; checklist 21."""
    for _ in range(50):
        with Peer(live) as peer:
            peer.send(
                b"CONNECT\naccept-version:1.2\nhost:h\n\n\0SEND\ndestination:/queue/a\n\nx\0DISCONNECT\nreceipt:1\n\n\0"
            )
    with Peer(live).log_in() as peer:
        peer.send(b"SUBSCRIBE\nid:1\ndestination:/queue/a\n\n\0")
        assert [peer.frame().body for _ in range(50)] == [b"x"] * 50


@pytest.mark.parametrize("flood", [b"SEND\ndestination:/queue/a\n\nx\0" * 50_000, b"\xff" * 1_000_000])
def test_an_error_is_read_before_the_end_whatever_was_sent_behind_it(live: Live, flood: bytes) -> None:
    """STOMP 1.2, "Connection Lingering" and "ERROR"; checklist 21, 48.

    A socket closed with unread input would be reset, and the reset would eat the ERROR.
    """
    with Peer(live).log_in() as peer:
        peer.send(b"HELLO\n\n\0" + flood)
        assert peer.frame().command == "ERROR"
        assert peer.closed()


def test_a_login_refused_over_the_wire_can_be_read(durable: Live) -> None:
    """STOMP 1.2, "Connecting" and "Connection Lingering"; checklist 19, 21."""
    with Peer(durable) as peer:
        peer.send(b"CONNECT\naccept-version:1.2\nlogin:ann\npasscode:no\n\n\0" + b"SEND\n\nx\0" * 10_000)
        assert "login" in peer.frame().headers["message"]
        assert peer.closed()


def test_a_client_too_many_is_told_so(bus: Bus) -> None:
    """STOMP 1.2, "Connecting"; checklist 19."""
    crowded = Bus(limits=Limits(connections=1))
    crowded.client()
    late = Client(crowded)
    crowded.settle()
    assert "1 connections" in late.error()
