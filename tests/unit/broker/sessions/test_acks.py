from __future__ import annotations

import pytest

from swarmage.broker.storage.store import MemoryStore

from ..driver import Bus, Client


def filled(bus: Bus, count: int = 3) -> Client:
    """Return a client that holds messages 0, 1, 2... in client-individual mode."""
    sender, client = bus.client(), bus.client()
    for n in range(count):
        sender.put("/queue/a", b"%d" % n)
    client.subscribe("/queue/a", ack="client-individual")
    return client


def stored(bus: Bus) -> list[bytes]:
    assert isinstance(bus.store, MemoryStore)
    return [bus.store.messages[number].body for number in sorted(bus.store.messages)]


def test_auto_removes_a_message_as_soon_as_it_is_sent(bus: Bus) -> None:
    client = bus.client()
    client.subscribe("/queue/a")
    client.put("/queue/a", b"x")
    assert "ack" not in client.take().headers
    assert stored(bus) == []


def test_client_individual_settles_one(bus: Bus) -> None:
    client = filled(bus)
    client.take()
    client.ack(client.take())
    assert stored(bus) == [b"0", b"2"]


def test_client_settles_everything_up_to_it_in_its_subscription_alone(bus: Bus) -> None:
    client = bus.client()
    client.subscribe("/queue/a", "a", ack="client")
    client.subscribe("/queue/b", "b", ack="client")
    for n in range(3):
        client.put("/queue/a", b"a%d" % n)
        client.put("/queue/b", b"b%d" % n)
    second = [frame for frame in client.frames if frame.body == b"a1"]
    client.ack(second[0])
    assert stored(bus) == [b"b0", b"b1", b"a2", b"b2"]


def test_1_1_acknowledges_by_message_id_and_subscription(bus: Bus) -> None:
    client = bus.client("1.1")
    client.subscribe("/queue/a", ack="client")
    client.put("/queue/a")
    headers = client.take().headers
    assert "ack" not in headers
    client.send("ACK", {"message-id": headers["message-id"], "subscription": "1"})
    assert stored(bus) == []


def test_1_1_refuses_an_ack_for_another_subscription(bus: Bus) -> None:
    client = bus.client("1.1")
    client.subscribe("/queue/a", ack="client")
    client.put("/queue/a")
    client.send("ACK", {"message-id": client.take().headers["message-id"], "subscription": "2"})
    assert "another subscription" in client.error()


def test_1_0_acknowledges_by_message_id(bus: Bus) -> None:
    client = bus.client("1.0")
    client.send("SUBSCRIBE", {"destination": "/queue/a", "ack": "client"})
    client.put("/queue/a")
    client.send("ACK", {"message-id": client.take().headers["message-id"]})
    assert stored(bus) == []


@pytest.mark.parametrize("number", ["999", "abc", ""])
def test_an_unknown_ack_id_is_an_error(bus: Bus, number: str) -> None:
    client = filled(bus)
    client.frames.clear()
    client.send("ACK", {"id": number, "receipt": "r"})
    assert client.frames[0].headers["receipt-id"] == "r"
    assert "ACK" in client.error()


def test_a_message_is_acknowledged_once(bus: Bus) -> None:
    client = filled(bus, 1)
    frame = client.take()
    client.ack(frame)
    client.ack(frame)
    assert "does not hold" in client.error()


def test_nobody_acknowledges_what_another_connection_holds(bus: Bus) -> None:
    frame = filled(bus).take()
    thief = bus.client()
    thief.ack(frame)
    assert "does not hold" in thief.error()


def test_a_lost_connection_gives_messages_back_at_their_old_place_and_counts(bus: Bus) -> None:
    client = filled(bus, 4)
    client.ack(client.frames[1])
    other = bus.client()
    client.lose()
    other.put("/queue/a", b"new")
    other.subscribe("/queue/a")
    seen = [(f.body, f.headers.get("redelivered"), f.headers.get("delivery-count")) for f in other.frames]
    assert seen == [(b"0", "true", "1"), (b"2", "true", "1"), (b"3", "true", "1"), (b"new", None, None)]


def test_the_delivery_count_survives_a_restart(bus: Bus) -> None:
    filled(bus, 1).lose()
    bus.start()
    filled(bus, 0).lose()
    bus.start()
    assert filled(bus, 0).take().headers["delivery-count"] == "2"


def test_a_graceful_disconnect_gives_messages_back_uncounted(bus: Bus) -> None:
    client = filled(bus, 1)
    client.send("DISCONNECT")
    assert client.finished
    assert "redelivered" not in filled(bus, 0).take().headers


def test_an_error_counts_like_a_lost_connection(bus: Bus) -> None:
    filled(bus, 1).feed(b"HELLO\n\n\0")
    assert filled(bus, 0).take().headers["delivery-count"] == "1"


def test_a_stopping_bus_does_not_count(bus: Bus) -> None:
    filled(bus, 1).session.close()
    bus.settle()
    assert "redelivered" not in filled(bus, 0).take().headers


def test_a_nack_gives_a_message_back_counted_or_not(bus: Bus) -> None:
    client = filled(bus, 1)
    client.nack(client.take())
    again = client.take()
    assert again.headers["delivery-count"] == "1"
    client.nack(again, count="false")
    assert client.take().headers["delivery-count"] == "1"


def test_a_nack_without_requeue_moves_the_message_to_the_dead_letters_in_one_batch(bus: Bus) -> None:
    client = bus.client()
    client.subscribe("/queue/a", ack="client")
    client.put("/queue/a", b"bad", priority=7, expires=9_999_999_999_999)
    client.nack(client.take(), requeue="false")
    assert stored(bus) == [b"bad"]
    client.subscribe("/queue/DLQ.a", "2")
    headers = client.take().headers
    assert headers["destination"] == "/queue/DLQ.a"
    assert headers["original-destination"] == "/queue/a"
    assert headers["priority"] == "7"


def test_after_unsubscribe_nothing_more_comes_but_what_came_can_be_settled(bus: Bus) -> None:
    client = filled(bus, 2)
    first, second = client.take(), client.take()
    client.send("UNSUBSCRIBE", {"id": "1"})
    client.put("/queue/a", b"later")
    assert client.frames == []
    client.ack(first)
    assert stored(bus) == [b"1", b"later"]
    client.nack(second, count="false")
    assert [frame.body for frame in filled(bus, 0).frames] == [b"1", b"later"]


def test_messages_given_back_by_two_connections_end_up_in_order(bus: Bus) -> None:
    sender = bus.client()
    one, two = bus.client(), bus.client()
    one.subscribe("/queue/a", ack="client")
    two.subscribe("/queue/a", ack="client")
    for n in range(6):
        sender.put("/queue/a", b"%d" % n)
    one.lose()
    two.lose()
    sender.subscribe("/queue/a")
    assert sender.bodies() == [b"0", b"1", b"2", b"3", b"4", b"5"]
