from __future__ import annotations

import pytest

from tests.unit.broker.driver import Bus, HeldStore

from .live import Live, Peer
from .talk import greet, take_all

STEPS = [
    ("BEGIN", {"transaction": "t"}),
    ("SEND", {"destination": "/queue/a", "transaction": "t"}),
    ("ABORT", {"transaction": "t"}),
    ("BEGIN", {"transaction": "t"}),
    ("COMMIT", {"transaction": "t"}),
    ("SEND", {"destination": "/queue/a"}),
    ("SEND", {"destination": "/queue/a", "persistent": "false"}),
    ("SEND", {"destination": "/topic/a"}),
    ("SUBSCRIBE", {"destination": "/queue/b", "id": "1"}),
    ("UNSUBSCRIBE", {"id": "1"}),
    ("DISCONNECT", {}),
]


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_every_frame_gets_the_receipt_it_asks_for(bus: Bus, version: str) -> None:
    """STOMP 1.2, "Header receipt"; checklist 43."""
    client = bus.client(version)
    for number, (command, headers) in enumerate(STEPS):
        client.send(command, {**headers, "receipt": f"r {number}"})
        assert client.take("RECEIPT").headers == {"receipt-id": f"r {number}"}
    assert client.finished


@pytest.mark.parametrize("command", ["ACK", "NACK"])
def test_an_answer_gets_the_receipt_it_asks_for(bus: Bus, command: str) -> None:
    """STOMP 1.2, "Header receipt"; checklist 43."""
    client = bus.client()
    client.subscribe("/queue/a", ack="client")
    client.put("/queue/a", b"x")
    client.send(command, {"id": client.take().headers["ack"], "requeue": "false", "receipt": "1"})
    client.take("RECEIPT")


def test_connect_gets_no_receipt(bus: Bus) -> None:
    """STOMP 1.2, "Header receipt"; checklist 43."""
    client = greet(bus, {"accept-version": "1.2", "receipt": "1"})
    client.take("CONNECTED")
    assert client.frames == []


def test_a_receipt_comes_once_the_message_is_safe() -> None:
    """STOMP 1.2, "Header receipt"; checklist 43."""
    store = HeldStore()
    bus = Bus(store=store)
    client = bus.client()
    client.put("/queue/a", b"x", receipt="1")
    assert client.frames == []
    store.commit()
    bus.settle()
    client.take("RECEIPT")


def test_a_frame_that_fails_gets_an_error_and_no_receipt(bus: Bus) -> None:
    """STOMP 1.2, "Header receipt" and "ERROR"; checklist 43, 49."""
    client = bus.client()
    client.send("SUBSCRIBE", {"receipt": "1"})
    assert client.take("ERROR").headers["receipt-id"] == "1"
    assert client.frames == []


@pytest.mark.parametrize("end", [b"DISCONNECT\n\n\0", b""])
def test_what_was_received_is_processed_though_the_client_leaves(bus: Bus, end: bytes) -> None:
    """STOMP 1.2, "RECEIPT"; checklist 44."""
    client = bus.client()
    client.feed(b"SEND\ndestination:/queue/a\n\n1\0SEND\ndestination:/queue/a\n\n2\0" + end)
    client.lose()
    assert take_all(bus, "/queue/a") == [b"1", b"2"]


def test_the_receipt_of_disconnect_says_that_all_before_is_safe() -> None:
    """STOMP 1.2, "RECEIPT" and "DISCONNECT"; checklist 44, 45."""
    store = HeldStore()
    bus = Bus(store=store)
    client = bus.client()
    client.put("/queue/a", b"1")
    client.put("/queue/a", b"2")
    client.send("DISCONNECT", {"receipt": "bye"})
    while store.held:
        assert client.frames == []
        assert not client.finished
        store.commit()
        bus.settle()
    assert client.take("RECEIPT").headers["receipt-id"] == "bye"
    assert client.finished
    bus.start()
    client = bus.client()
    client.subscribe("/queue/a")
    assert client.bodies() == [b"1", b"2"]


def test_what_comes_after_disconnect_is_ignored(bus: Bus) -> None:
    """STOMP 1.2, "DISCONNECT"; checklist 45."""
    client = bus.client()
    client.feed(b"DISCONNECT\nreceipt:1\n\n\0SEND\ndestination:/queue/a\n\nx\0HELLO\n\n\0\xff")
    client.take("RECEIPT")
    assert client.frames == []
    assert take_all(bus, "/queue/a") == []


def test_after_an_error_nothing_is_read_or_written(bus: Bus) -> None:
    """STOMP 1.2, "ERROR"; checklist 48."""
    client = bus.client()
    client.subscribe("/queue/a")
    client.feed(b"HELLO\n\n\0SEND\ndestination:/queue/a\n\nx\0")
    client.error()
    assert client.frames == []
    assert take_all(bus, "/queue/a") == []


def test_the_socket_is_closed_after_an_error(live: Live) -> None:
    """STOMP 1.2, "ERROR"; checklist 48."""
    with Peer(live).log_in() as peer:
        peer.send(b"HELLO\n\n\0")
        assert peer.frame().command == "ERROR"
        assert peer.closed()


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_an_error_says_what_was_wrong_with_which_frame(bus: Bus, version: str) -> None:
    """STOMP 1.2, "ERROR"; checklist 49."""
    client = bus.client(version)
    client.send("SEND", {"receipt": "r-1"}, b"x")
    error = client.take("ERROR")
    assert error.headers == {
        "message": "SEND needs a destination header",
        "receipt-id": "r-1",
        "content-type": "text/plain",
        "content-length": str(len(error.body)),
    }
    assert error.body == b"SEND needs a destination header\n"


def test_an_error_that_repeats_what_the_client_said_is_one_short_frame(bus: Bus) -> None:
    """STOMP 1.2, "ERROR"; checklist 49."""
    for text in ("\\n\\nERROR\\cx", "é\\r" * 1000, "\\c" * 20_000, "'\""):
        client = bus.client()
        client.send("SUBSCRIBE", {"id": text, "destination": f"/{text}", "ack": text})
        client.error()
        assert client.frames == []
        assert len(client.raw) < 5_000


@pytest.mark.parametrize("command", ["HELLO", "MESSAGE", "RECEIPT", "ERROR", "CONNECTED", "QUIT"])
def test_an_unknown_command_is_an_error(bus: Bus, command: str) -> None:
    """STOMP 1.2, "Client Frames"; checklist 50."""
    client = bus.client()
    client.send(command, {"destination": "/queue/a"})
    assert client.error() == f"unknown command {command}"
