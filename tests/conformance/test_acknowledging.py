from __future__ import annotations

import pytest

from swarmage.broker.sessions.frames import Frame
from tests.unit.broker.driver import Bus, Client

from .talk import take_all


def three(bus: Bus, mode: str) -> tuple[Client, list[Frame]]:
    """A client that holds the messages 1, 2 and 3."""
    client = bus.client()
    client.subscribe("/queue/a", ack=mode)
    for body in (b"1", b"2", b"3"):
        client.put("/queue/a", body)
    return client, [client.take() for _ in range(3)]


def test_in_client_mode_an_ack_settles_all_earlier_messages_too(bus: Bus) -> None:
    """STOMP 1.2, "SUBSCRIBE ack Header"; checklist 34."""
    client, held = three(bus, "client")
    client.ack(held[1])
    client.lose()
    assert take_all(bus, "/queue/a") == [b"3"]


def test_a_cumulative_ack_leaves_other_subscriptions_alone(bus: Bus) -> None:
    """STOMP 1.2, "SUBSCRIBE ack Header"; checklist 34."""
    client = bus.client()
    client.subscribe("/queue/a", "1", ack="client")
    client.subscribe("/queue/b", "2", ack="client")
    client.put("/queue/a", b"a")
    client.put("/queue/b", b"b")
    client.take()
    client.ack(client.take())
    client.lose()
    assert take_all(bus, "/queue/a") == [b"a"]
    assert take_all(bus, "/queue/b") == []


@pytest.mark.parametrize("command", ["ACK", "NACK"])
def test_in_client_individual_mode_an_answer_settles_one_message(bus: Bus, command: str) -> None:
    """STOMP 1.2, "SUBSCRIBE ack Header"; checklist 35."""
    client, held = three(bus, "client-individual")
    client.send(command, {"id": held[1].headers["ack"], "requeue": "false"})
    client.lose()
    assert take_all(bus, "/queue/a") == [b"1", b"3"]
    assert take_all(bus, "/queue/DLQ.a") == ([b"2"] if command == "NACK" else [])


@pytest.mark.parametrize("command", ["ACK", "NACK"])
@pytest.mark.parametrize("headers", [{}, {"id": ""}, {"id": "none"}, {"id": "0"}, {"message-id": "1"}, {"ack": "1"}])
def test_an_answer_names_a_message_that_the_connection_holds(bus: Bus, command: str, headers: dict[str, str]) -> None:
    """STOMP 1.2, "ACK" and "NACK"; checklist 37, 38."""
    client, _ = three(bus, "client")
    client.send(command, headers)
    assert command in client.error()
    assert take_all(bus, "/queue/a") == [b"1", b"2", b"3"]


def test_the_message_of_another_connection_cannot_be_acknowledged(bus: Bus) -> None:
    """STOMP 1.2, "ACK"; checklist 37."""
    _, held = three(bus, "client")
    stranger = bus.client()
    stranger.ack(held[0])
    assert "does not hold" in stranger.error()


def test_a_message_is_acknowledged_once(bus: Bus) -> None:
    """STOMP 1.2, "ACK"; checklist 37."""
    client, held = three(bus, "client-individual")
    client.ack(held[0])
    client.ack(held[0])
    assert "does not hold" in client.error()


def test_an_ack_may_belong_to_a_transaction(bus: Bus) -> None:
    """STOMP 1.2, "ACK"; checklist 37."""
    client, held = three(bus, "client-individual")
    client.send("BEGIN", {"transaction": "t"})
    client.ack(held[0], transaction="t")
    client.send("COMMIT", {"transaction": "t"})
    client.lose()
    assert take_all(bus, "/queue/a") == [b"2", b"3"]


def test_in_client_mode_a_nack_gives_back_all_earlier_messages_too(bus: Bus) -> None:
    """STOMP 1.2, "NACK"; checklist 38."""
    client, held = three(bus, "client")
    client.nack(held[1])
    assert [(frame.body, frame.headers["delivery-count"]) for frame in client.frames] == [(b"1", "1"), (b"2", "1")]


def test_a_nacked_message_that_is_not_wanted_back_goes_to_the_dead_letters(bus: Bus) -> None:
    """STOMP 1.2, "NACK"; checklist 38."""
    client, held = three(bus, "client")
    client.nack(held[1], requeue="false")
    assert client.frames == []
    assert take_all(bus, "/queue/DLQ.a") == [b"1", b"2"]


def test_what_must_be_acknowledged_carries_what_to_say(bus: Bus) -> None:
    """STOMP 1.2, "MESSAGE" and "ACK"; checklist 47, 37."""
    for mode in ("client", "client-individual"):
        client = bus.client()
        client.subscribe(f"/queue/{mode}", ack=mode)
        client.put(f"/queue/{mode}", b"x", receipt="0")
        client.take("RECEIPT")
        client.send("ACK", {"id": client.take().headers["ack"], "receipt": "1"})
        client.take("RECEIPT")


def test_a_message_has_destination_subscription_and_an_id_of_its_own(bus: Bus) -> None:
    """STOMP 1.2, "MESSAGE"; checklist 46."""
    client = bus.client()
    client.subscribe("/queue/a", "one")
    client.subscribe("/topic/a", "two")
    client.subscribe("/topic/*", "three")
    for destination in ("/queue/a", "/queue/a", "/topic/a"):
        client.put(destination, b"x")
    headers = [frame.headers for frame in client.frames]
    assert [each["destination"] for each in headers] == ["/queue/a", "/queue/a", "/topic/a", "/topic/a"]
    assert [each["subscription"] for each in headers] == ["one", "one", "two", "three"]
    assert len({each["message-id"] for each in headers}) == 4
