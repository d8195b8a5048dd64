from __future__ import annotations

import pytest

from tests.unit.broker.driver import Bus

from .talk import take_all


@pytest.mark.parametrize("headers", [{}, {"destination": ""}, {"Destination": "/queue/a"}])
def test_a_send_without_a_destination_is_an_error(bus: Bus, headers: dict[str, str]) -> None:
    """STOMP 1.2, "SEND"; checklist 27."""
    client = bus.client()
    client.send("SEND", headers, b"x")
    assert client.error() == "SEND needs a destination header"


@pytest.mark.parametrize(
    "destination",
    [
        "/queue/a",
        "/queue/a/b/c",
        "/queue/a b",
        "/queue/ä",
        "/queue//",
        "/queue/%2F?x=1",
        "/queue/../a",
        "/queue/*",
        "a",
    ],
)
def test_a_destination_is_an_opaque_string(bus: Bus, destination: str) -> None:
    """STOMP 1.2, "SEND"; checklist 27."""
    client = bus.client()
    client.subscribe(destination)
    client.put(destination, b"x")
    assert client.take().headers["destination"] == destination
    other = bus.client()
    other.subscribe("/queue/b")
    assert other.frames == []


def test_headers_of_the_user_are_passed_on(bus: Bus) -> None:
    """STOMP 1.2, "SEND"; checklist 28."""
    client = bus.client()
    client.subscribe("/queue/a")
    mine = {
        "colour": "green",
        "reply-to": "/queue/r",
        "correlation-id": "7",
        "empty": "",
        "priority": "9",
        "x-y": "a b",
    }
    client.send("SEND", {"destination": "/queue/a", **mine}, b"x")
    assert mine.items() <= client.take().headers.items()


def test_headers_that_are_the_servers_cannot_be_forged(bus: Bus) -> None:
    """STOMP 1.2, "SEND" and "MESSAGE"; checklist 28, 46, 47."""
    client = bus.client()
    client.subscribe("/queue/a", "mine", ack="client")
    forged = {"message-id": "1", "subscription": "yours", "ack": "2", "redelivered": "true", "delivery-count": "7"}
    client.send("SEND", {"destination": "/queue/a", **forged}, b"x")
    message = client.take()
    assert message.headers["subscription"] == "mine"
    assert not {"redelivered", "delivery-count"} & message.headers.keys()
    client.ack(message)
    assert client.frames == []


@pytest.mark.parametrize(
    "headers",
    [
        {"destination": "/exchange/a"},
        {"destination": "/queue/"},
        {"destination": "/topic/"},
        {"destination": "/queue/a", "priority": "high"},
        {"destination": "/queue/a", "delay": "-1"},
        {"destination": "/queue/a", "expires": "1e3"},
        {"destination": "/queue/a", "transaction": "none"},
        {"destination": "/reply-queue/gone"},
    ],
)
def test_a_send_that_cannot_be_processed_ends_the_connection(bus: Bus, headers: dict[str, str]) -> None:
    """STOMP 1.2, "SEND"; checklist 29."""
    client = bus.client()
    client.send("SEND", headers, b"x")
    assert client.error()
    assert client.finished
    assert take_all(bus, "/queue/a") == []
