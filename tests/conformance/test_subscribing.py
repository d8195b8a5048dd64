from __future__ import annotations

import pytest

from tests.unit.broker.driver import Bus

from .talk import take_all


@pytest.mark.parametrize(
    "headers", [{"id": "1"}, {"destination": "/queue/a"}, {"destination": "/queue/a", "id": ""}, {}]
)
def test_a_subscription_needs_a_destination_and_an_id(bus: Bus, headers: dict[str, str]) -> None:
    """STOMP 1.2, "SUBSCRIBE"; checklist 30."""
    client = bus.client()
    client.send("SUBSCRIBE", headers)
    assert "SUBSCRIBE needs" in client.error()


def test_two_subscriptions_of_a_connection_have_different_ids(bus: Bus) -> None:
    """STOMP 1.2, "SUBSCRIBE"; checklist 30."""
    client, other = bus.client(), bus.client()
    client.subscribe("/queue/a", "1")
    client.subscribe("/queue/a", "2")
    other.subscribe("/queue/a", "1")
    assert not other.finished
    client.subscribe("/queue/b", "2")
    assert "already" in client.error()


def test_an_id_can_be_used_again_after_unsubscribe(bus: Bus) -> None:
    """STOMP 1.2, "SUBSCRIBE"; checklist 30."""
    client = bus.client()
    client.subscribe("/queue/a", "1")
    client.send("UNSUBSCRIBE", {"id": "1"})
    client.subscribe("/queue/b", "1")
    client.put("/queue/b", b"x")
    assert client.bodies() == [b"x"]


@pytest.mark.parametrize(
    "headers",
    [{"destination": "/exchange/a"}, {"destination": "/queue/"}, {"destination": "/reply-queue/x"},
     {"destination": "/temp-queue/"}, {"destination": "/queue/a", "prefetch-count": "-1"}],
)  # fmt: skip
def test_a_subscription_that_cannot_be_made_ends_the_connection(bus: Bus, headers: dict[str, str]) -> None:
    """STOMP 1.2, "SUBSCRIBE"; checklist 31."""
    client = bus.client()
    client.send("SUBSCRIBE", {"id": "1", **headers})
    assert client.error()
    assert client.finished


@pytest.mark.parametrize("mode", ["auto", "client", "client-individual"])
def test_there_are_three_ack_modes(bus: Bus, mode: str) -> None:
    """STOMP 1.2, "SUBSCRIBE ack Header"; checklist 32."""
    client = bus.client()
    client.subscribe("/queue/a", ack=mode)
    client.put("/queue/a", b"x")
    assert ("ack" in client.take().headers) is (mode != "auto")


@pytest.mark.parametrize("mode", ["", "Client", "client-Individual", "individual", " auto", "dups-ok"])
def test_another_ack_mode_is_an_error(bus: Bus, mode: str) -> None:
    """STOMP 1.2, "SUBSCRIBE ack Header"; checklist 32."""
    client = bus.client()
    client.subscribe("/queue/a", ack=mode)
    assert "ack mode" in client.error()


def test_the_ack_mode_is_auto_when_none_is_named(bus: Bus) -> None:
    """STOMP 1.2, "SUBSCRIBE ack Header"; checklist 32, 33."""
    client = bus.client()
    client.send("SUBSCRIBE", {"id": "1", "destination": "/queue/a"})
    client.put("/queue/a", b"x")
    assert "ack" not in client.take().headers
    client.lose()
    assert take_all(bus, "/queue/a") == []


def test_in_auto_mode_a_message_is_acknowledged_once_sent(bus: Bus) -> None:
    """STOMP 1.2, "SUBSCRIBE ack Header"; checklist 33."""
    client = bus.client()
    client.subscribe("/queue/a", ack="auto", prefetch_count=1)
    for body in (b"1", b"2", b"3"):
        client.put("/queue/a", body)
    assert client.bodies() == [b"1", b"2", b"3"]
    bus.start()
    assert take_all(bus, "/queue/a") == []


def test_what_is_not_acknowledged_when_the_connection_is_lost_goes_to_another(bus: Bus) -> None:
    """STOMP 1.2, "SUBSCRIBE ack Header"; checklist 34."""
    client, other = bus.client(), bus.client()
    client.subscribe("/queue/a", ack="client")
    client.put("/queue/a", b"x")
    other.subscribe("/queue/a")
    assert other.frames == []
    client.lose()
    message = other.take()
    assert (message.body, message.headers["redelivered"], message.headers["delivery-count"]) == (b"x", "true", "1")


def test_unsubscribe_ends_the_subscription_of_this_id(bus: Bus) -> None:
    """STOMP 1.2, "UNSUBSCRIBE"; checklist 36."""
    client = bus.client()
    client.subscribe("/queue/a", "1")
    client.subscribe("/queue/a", "2")
    client.send("UNSUBSCRIBE", {"id": "1", "receipt": "r"})
    client.take("RECEIPT")
    client.put("/queue/a", b"x")
    client.put("/queue/a", b"y")
    assert [frame.headers["subscription"] for frame in client.frames] == ["2", "2"]


@pytest.mark.parametrize("headers", [{}, {"id": "9"}, {"id": "01"}, {"destination": "/queue/a"}])
def test_unsubscribe_needs_the_id_of_a_subscription(bus: Bus, headers: dict[str, str]) -> None:
    """STOMP 1.2, "UNSUBSCRIBE"; checklist 36."""
    client = bus.client()
    client.subscribe("/queue/a", "1")
    client.send("UNSUBSCRIBE", headers)
    assert client.error()
