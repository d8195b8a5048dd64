"""Dead letters by the bus: after too many deliveries, or because a consumer says so."""

from __future__ import annotations

import logging

import pytest

from swarmage.broker.limits import Limits
from swarmage.broker.sessions.frames import Frame
from swarmage.broker.storage.store import MemoryStore

from ..driver import Bus, Client, HeldStore
from ..storage.test_disk_full import FullStore

QUEUE = "/queue/orders.new"
DEAD = "/queue/DLQ.orders.new"


@pytest.fixture
def bus() -> Bus:
    return Bus(limits=Limits(deliveries=(("/queue/", 5), ("/queue/orders.", 2))))


def taker(bus: Bus, queue: str = QUEUE) -> Client:
    client = bus.client()
    client.subscribe(queue, ack="client-individual")
    return client


def stored(bus: Bus) -> dict[str, list[bytes]]:
    assert isinstance(bus.store, MemoryStore)
    found: dict[str, list[bytes]] = {}
    for message in bus.store.messages.values():
        found.setdefault(message.destination, []).append(message.body)
    return found


def dead(bus: Bus, queue: str = DEAD) -> Frame:
    """Return the only dead letter, and leave it there."""
    client = taker(bus, queue)
    frame = client.take()
    assert client.frames == []
    client.send("DISCONNECT")
    return frame


def test_a_message_is_buried_when_the_last_delivery_that_is_allowed_has_failed(bus: Bus) -> None:
    bus.client().put(QUEUE, b"bad", priority=7, expires=9_999_999_999_999)
    taker(bus).lose()
    assert stored(bus) == {QUEUE: [b"bad"]}
    client = taker(bus)
    assert client.take().headers["delivery-count"] == "1"
    client.lose()
    assert stored(bus) == {DEAD: [b"bad"]}
    headers = dead(bus).headers
    assert headers["destination"] == DEAD
    assert headers["original-destination"] == QUEUE
    assert headers["reason"] == "delivered 2 times without an ack"
    assert headers["delivery-count"] == "2"
    assert headers["priority"] == "7"


def test_the_longest_beginning_of_a_name_counts() -> None:
    limits = Limits(deliveries=(("/queue/a", 1), ("/queue/", 2), ("/queue/abc", 3)))
    names = ("/queue/a", "/queue/abz", "/queue/abcd", "/queue/b", "/topic/a")
    assert [limits.most_deliveries(name) for name in names] == [1, 1, 3, 2, None]
    assert Limits().most_deliveries("/queue/a") is None


def test_the_limit_for_all_queues_counts_for_durable_subscriptions() -> None:
    bus = Bus(limits=Limits(deliveries=(("/queue/", 2), ("/queue/o", 1))))
    subscribe = {"destination": "/topic/a", "id": "1", "ack": "client-individual", "durable-subscription-name": "o"}
    clients = [bus.client() for _ in range(3)]
    clients[0].send("SUBSCRIBE", subscribe)
    clients[2].put("/topic/a", b"bad")
    clients[0].lose()
    clients[1].send("SUBSCRIBE", subscribe)
    assert clients[1].take().headers["delivery-count"] == "1"
    clients[1].lose()
    clients[2].send("SUBSCRIBE", subscribe)
    assert clients[2].frames == []
    assert stored(bus) == {"/queue/DLQ./o/1": [b"bad"]}
    assert dead(bus, "/queue/DLQ./o/1").headers["original-destination"] == "/durable//o/1"


def test_deliveries_that_do_not_count_bury_nothing(bus: Bus) -> None:
    client = taker(bus)
    client.put(QUEUE, b"good")
    for _ in range(10):
        client.nack(client.take(), count="false")
    client.send("DISCONNECT")
    assert "delivery-count" not in taker(bus).take().headers


def test_deliveries_that_a_killed_bus_had_under_way_do_not_count(bus: Bus) -> None:
    bus.client().put(QUEUE, b"good")
    for _ in range(5):
        assert "delivery-count" not in taker(bus).take().headers
        bus.start()
    taker(bus).lose()
    for _ in range(5):
        bus.start()
        assert taker(bus).take().headers["delivery-count"] == "1"


def test_a_nack_says_why(bus: Bus) -> None:
    client = taker(bus)
    client.put(QUEUE, b"bad")
    client.nack(client.take(), reason="no such\\ccustomer")
    client.nack(client.take(), reason="no such\\ccustomer" + "!" * 600)
    reason = dead(bus).headers["reason"]
    assert reason.startswith("no such:customer!!!")
    assert len(reason) == 500


@pytest.mark.parametrize(("headers", "reason", "count"), [
    ({}, "rejected by its consumer", "1"),
    ({"reason": "no stamp"}, "no stamp", "1"),
    ({"count": "false"}, "rejected by its consumer", None),
])  # fmt: skip
def test_a_rejected_message_says_so(bus: Bus, headers: dict[str, str], reason: str, count: str | None) -> None:
    client = taker(bus)
    client.put(QUEUE, b"bad", reason="the sender's own")
    client.nack(client.take(), requeue="false", **headers)
    found = dead(bus).headers
    assert (found["reason"], found.get("delivery-count")) == (reason, count)


def test_a_dead_letter_is_never_buried_again(bus: Bus) -> None:
    client = taker(bus)
    client.put(QUEUE, b"bad")
    client.nack(client.take(), requeue="false")
    reader = taker(bus, DEAD)
    for n in range(1, 10):
        frame = reader.take()
        assert frame.headers["delivery-count"] == str(n)
        reader.nack(frame, requeue="false" if n % 2 else "true")
    assert stored(bus) == {DEAD: [b"bad"]}


def test_removal_and_dead_letter_are_one_batch() -> None:
    store = HeldStore()
    bus = Bus(store=store, limits=Limits(deliveries=(("/queue/", 1),)))
    sender, client = bus.client(), taker(bus)
    sender.put(QUEUE, b"bad")
    store.commit()
    bus.settle()
    number = int(client.take().headers["message-id"])
    client.lose()
    [(batch, _)] = store.held
    assert [message.destination for message in batch.inserts] == [DEAD]
    assert [message.id for message in batch.deletes] == [number]
    bus.start()  # a kill before the commit
    assert taker(bus).take().body == b"bad"


def test_it_is_told_in_the_log(bus: Bus, caplog: pytest.LogCaptureFixture) -> None:
    client = taker(bus)
    client.put(QUEUE, b"bad")
    frame = client.take()
    with caplog.at_level(logging.INFO):
        client.nack(frame, requeue="false", reason="no\\nstamp")
    [record] = [each for each in caplog.records if getattr(each, "event", "") == "dead_lettered"]
    number = int(frame.headers["message-id"])
    assert record.fields == {"destination": QUEUE, "number": number, "reason": "no\nstamp"}  # type: ignore[attr-defined]
    assert "\n" not in record.getMessage()


def test_what_is_not_stored_is_buried_in_memory(bus: Bus) -> None:
    client = taker(bus)
    client.put(QUEUE, b"bad", persistent="false")
    client.nack(client.take())
    client.nack(client.take())
    assert stored(bus) == {}
    assert dead(bus).body == b"bad"


def test_topics_and_temporary_queues_have_no_limit() -> None:
    bus = Bus(limits=Limits(deliveries=(("/", 1),)))
    client = bus.client()
    client.subscribe("/temp-queue/a", ack="client-individual")
    client.put("/temp-queue/a", b"x")
    client.nack(client.take())
    assert client.take().headers["delivery-count"] == "1"


def test_a_full_disk_loses_no_message_that_was_to_be_buried() -> None:
    store = FullStore()
    bus = Bus(store=store, limits=Limits(deliveries=(("/queue/", 1),)))
    sender = bus.client()
    sender.put(QUEUE, b"bad")
    client, other = taker(bus), taker(bus, "/queue/other")
    store.full = True
    client.lose()
    assert stored(bus) == {QUEUE: [b"bad"]}
    again = taker(bus)
    assert again.take().body == b"bad"
    again.lose()  # known to be full now: it is not even tried
    assert not other.finished
    assert stored(bus) == {QUEUE: [b"bad"]}
    store.full = False
    bus.advance(1)
    taker(bus).lose()
    assert stored(bus) == {DEAD: [b"bad"]}


def test_a_full_disk_takes_a_rejection_back_and_does_not_count_it() -> None:
    store = FullStore()
    bus = Bus(store=store)
    client = taker(bus)
    client.put(QUEUE, b"bad")
    store.full = True
    client.nack(client.take(), requeue="false", receipt="r")
    assert "full" in client.error()
    frame = taker(bus).take()
    assert (frame.body, frame.headers.get("delivery-count")) == (b"bad", None)


def test_a_buried_message_of_a_group_lets_the_next_one_go(bus: Bus) -> None:
    one, _ = bus.client(), taker(bus)
    one.subscribe(QUEUE, ack="client-individual", prefetch_count=1)
    for n in range(4):
        one.put(QUEUE, b"%d" % n, JMSXGroupID="ab"[n % 2])
    frame = one.take()
    one.nack(frame, requeue="false")
    follower = one.take()
    assert follower.headers["JMSXGroupID"] == frame.headers["JMSXGroupID"]
    assert dead(bus).headers["JMSXGroupID"] == frame.headers["JMSXGroupID"]
