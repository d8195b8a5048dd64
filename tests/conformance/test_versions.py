"""Where STOMP 1.0 and 1.1 differ from 1.2, and clients of all three meet at one queue."""

from __future__ import annotations

import pytest

from swarmage.broker.sessions.frames import Frame
from tests.unit.broker.driver import Bus, Client

from .talk import greet, take_all


def delivered(bus: Bus, version: str, mode: str = "client") -> tuple[Client, Frame]:
    client = bus.client(version)
    client.subscribe("/queue/a", "s", ack=mode)
    client.put("/queue/a", b"x")
    return client, client.take()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_cr_before_lf_is_taken_for_a_line_end_in_old_versions_too(bus: Bus, version: str) -> None:
    """STOMP 1.0 and 1.1, "STOMP Frames"."""
    client = bus.client(version)
    client.feed(b"SEND\r\ndestination:/queue/a\r\nreceipt:1\r\n\r\nx\0")
    assert client.take("RECEIPT").headers["receipt-id"] == "1"


def test_1_0_has_no_escapes_and_values_may_hold_colons(bus: Bus) -> None:
    """STOMP 1.0, "The Protocol"."""
    client = bus.client("1.0")
    client.subscribe("/queue/a")
    client.send("SEND", {"destination": "/queue/a", "k": "a\\tb:c\\n\\"}, b"x")
    assert client.take().headers["k"] == "a\\tb:c\\n\\"


@pytest.mark.parametrize("escape", ["\\r", "\\t", "\\"])
def test_cr_has_no_escape_in_1_1(bus: Bus, escape: str) -> None:
    """STOMP 1.1, "Value Encoding"."""
    client = bus.client("1.1")
    client.send("SEND", {"destination": "/queue/a", "k": f"a{escape}"})
    assert "undefined escape" in client.error()


@pytest.mark.parametrize(("sender", "receiver"), [(s, r) for s in ("1.0", "1.1", "1.2") for r in ("1.0", "1.1", "1.2")])
def test_a_header_means_the_same_to_clients_of_all_versions(bus: Bus, sender: str, receiver: str) -> None:
    """STOMP 1.0, 1.1 and 1.2, "Value Encoding"."""
    source, target = bus.client(sender), bus.client(receiver)
    target.subscribe("/queue/a:b\\c" if receiver == "1.0" else "/queue/a\\cb\\\\c")
    destination, value = ("/queue/a:b\\c", "v:\\") if sender == "1.0" else ("/queue/a\\cb\\\\c", "v\\c\\\\")
    source.send("SEND", {"destination": destination, "k": value}, b"x")
    headers = target.take().headers
    assert (headers["destination"], headers["k"]) == ("/queue/a:b\\c", "v:\\")


def test_what_old_versions_cannot_write_is_left_out(bus: Bus) -> None:
    """STOMP 1.0 and 1.1, "Value Encoding"."""
    for version, seen in (("1.0", "abc"), ("1.1", "ab\nc"), ("1.2", "a\rb\nc")):
        client = bus.client(version)
        client.subscribe("/topic/a")
        bus.client().send("SEND", {"destination": "/topic/a", "k": "a\\rb\\nc", "after": "1"})
        headers = client.take().headers
        assert (headers["k"], headers["after"]) == (seen, "1")


def test_1_0_values_are_trimmed_on_the_left(bus: Bus) -> None:
    """STOMP 1.0, "The Protocol": its examples write `header: value`."""
    bus = Bus(users={"ann": "s3cret"})
    client = greet(bus, {"login": " ann", "passcode": "  s3cret"})
    assert client.take("CONNECTED").headers["version"] == "1.0"
    client.parser.log_in("1.0")
    client.send("SUBSCRIBE", {"destination": " /queue/a", "receipt": " 1"})
    assert client.take("RECEIPT").headers["receipt-id"] == "1"
    client.send("SEND", {"destination": " /queue/a", "content-length": " 3"}, b"a\0b")
    assert client.take().body == b"a\0b"


def test_1_0_needs_neither_version_nor_host(bus: Bus) -> None:
    """STOMP 1.0, "CONNECT"."""
    headers = greet(bus, {}).take("CONNECTED").headers
    assert headers["version"] == "1.0"
    assert headers["session"]


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_heart_beats_nack_and_client_individual_are_there_in_every_version(bus: Bus, version: str) -> None:
    """STOMP 1.1 and 1.2; 1.0 knows none of them, and nobody is hurt if it may."""
    client = greet(bus, {"accept-version": version, "host": "h", "heart-beat": "0,1000"})
    assert client.take("CONNECTED").headers["heart-beat"] == "1000,0"
    client.parser.log_in(version)
    client.subscribe("/queue/a", "s", ack="client-individual")
    client.put("/queue/a", b"x")
    headers = client.take().headers
    client.send("NACK", {"id": headers["message-id"], "message-id": headers["message-id"], "subscription": "s"})
    assert client.take().headers["redelivered"] == "true"


def test_1_0_may_subscribe_without_an_id_and_then_messages_name_none(bus: Bus) -> None:
    """STOMP 1.0, "SUBSCRIBE"."""
    client = bus.client("1.0")
    client.send("SUBSCRIBE", {"destination": "/queue/a"})
    client.put("/queue/a", b"x")
    assert "subscription" not in client.take().headers
    client.send("UNSUBSCRIBE", {"destination": "/queue/a"})
    client.put("/queue/a", b"y")
    assert client.frames == []


def test_1_0_may_subscribe_with_an_id_and_then_messages_name_it(bus: Bus) -> None:
    """STOMP 1.0, "SUBSCRIBE"."""
    client, message = delivered(bus, "1.0")
    assert message.headers["subscription"] == "s"
    client.send("UNSUBSCRIBE", {"id": "s", "receipt": "1"})
    client.take("RECEIPT")


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize("command", ["SUBSCRIBE", "UNSUBSCRIBE"])
def test_newer_versions_need_the_id(bus: Bus, version: str, command: str) -> None:
    """STOMP 1.1 and 1.2, "SUBSCRIBE" and "UNSUBSCRIBE"."""
    client = bus.client(version)
    client.send(command, {"destination": "/queue/a"})
    assert "id header" in client.error()


def test_1_0_acknowledges_by_message_id(bus: Bus) -> None:
    """STOMP 1.0, "ACK"."""
    client, message = delivered(bus, "1.0")
    assert "ack" not in message.headers
    client.send("ACK", {"message-id": message.headers["message-id"]})
    client.lose()
    assert take_all(bus, "/queue/a") == []


def test_1_1_acknowledges_by_message_id_and_subscription(bus: Bus) -> None:
    """STOMP 1.1, "ACK"."""
    client, message = delivered(bus, "1.1")
    assert "ack" not in message.headers
    client.send("ACK", {"message-id": message.headers["message-id"], "subscription": "s"})
    client.lose()
    assert take_all(bus, "/queue/a") == []


@pytest.mark.parametrize("subscription", [{}, {"subscription": "t"}])
def test_1_1_must_name_the_subscription_of_the_message(bus: Bus, subscription: dict[str, str]) -> None:
    """STOMP 1.1, "ACK"."""
    client, message = delivered(bus, "1.1")
    client.send("ACK", {"message-id": message.headers["message-id"], **subscription})
    assert "subscription" in client.error()


@pytest.mark.parametrize(("version", "name"), [("1.0", "id"), ("1.1", "id"), ("1.2", "message-id")])
def test_the_ack_of_another_version_is_refused(bus: Bus, version: str, name: str) -> None:
    """STOMP 1.0, 1.1 and 1.2, "ACK"."""
    client, message = delivered(bus, version)
    client.send("ACK", {name: message.headers["message-id"], "subscription": "s"})
    assert "names no message" in client.error()


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_an_error_ends_the_connection_in_every_version(bus: Bus, version: str) -> None:
    """STOMP 1.0, 1.1 and 1.2, "ERROR"; 1.0 leaves it open, the newer ones ask for it."""
    client = bus.client(version)
    client.send("SEND", {}, b"x")
    assert client.error()
    assert client.finished


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_content_length_is_understood_on_every_frame_of_old_versions_too(bus: Bus, version: str) -> None:
    """STOMP 1.0 and 1.1 define it for frames with a body."""
    client = bus.client(version)
    client.send("BEGIN", {"transaction": "t", "content-length": 0, "receipt": "1"})
    client.take("RECEIPT")


def test_1_0_receipts_wait_for_the_disk_as_those_of_newer_versions_do(bus: Bus) -> None:
    """STOMP 1.1 and 1.2, "RECEIPT": processed; 1.0 promises only that the frame came."""
    client = bus.client("1.0")
    client.put("/queue/a", b"x", receipt="1")
    bus.start()
    client.take("RECEIPT")
    assert take_all(bus, "/queue/a") == [b"x"]
