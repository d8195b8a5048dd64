from __future__ import annotations

import json
from typing import Any

import pytest

from swarmage.broker.limits import Limits
from swarmage.broker.storage.sqlite_damage import StoreFull
from swarmage.broker.storage.store import Batch, Done, MemoryStore

from ..driver import Bus, Client, HeldStore

NAMED = "durable-subscription-name"


class FullStore(MemoryStore):
    """Has no room for anything new while the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False

    def submit(self, batch: Batch, done: Done) -> None:
        if self.full and (batch.inserts or (batch.notes and batch.notes.opened) or not batch):
            done(StoreFull("the disk of /data is full"))
        else:
            super().submit(batch, done)


def user(bus: Bus, login: str) -> Client:
    client = Client(bus)
    client.send("CONNECT", {"accept-version": "1.2", "host": "x", "login": login})
    client.take("CONNECTED")
    return client


def listen(client: Client, topic: str = "/topic/news.>", name: str = "audit", **more: str | int) -> None:
    client.send("SUBSCRIBE", {"destination": topic, "id": "1", "ack": "client-individual", NAMED: name, **more})


def end(client: Client, name: str = "audit", **more: str) -> None:
    client.send("UNSUBSCRIBE", {"id": "1", NAMED: name, **more})


def restart(bus: Bus) -> None:
    bus.store = bus.store
    bus.start()


def test_what_is_sent_while_nobody_listens_waits_for_the_subscription(bus: Bus) -> None:
    reader = bus.client()
    listen(reader)
    reader.lose()
    sender = bus.client()
    sender.put("/topic/news.a", b"1", receipt="r")
    sender.put("/topic/other", b"2")
    assert sender.take("RECEIPT").headers["receipt-id"] == "r"
    restart(bus)
    reader = bus.client()
    listen(reader)
    frame = reader.take()
    assert (frame.body, frame.headers["destination"], frame.headers["subscription"]) == (b"1", "/topic/news.a", "1")
    assert reader.frames == []
    reader.lose()
    reader = bus.client()
    listen(reader)
    frame = reader.take()
    assert (frame.body, frame.headers["delivery-count"]) == (b"1", "1")
    reader.ack(frame)
    restart(bus)
    reader = bus.client()
    listen(reader)
    assert reader.frames == []


@pytest.mark.parametrize(
    "headers",
    [{NAMED: "me"}, {"activemq.subscriptionName": "me"}, {"durable": "true", "id": "me"}],
    ids=["Artemis", "ActiveMQ", "RabbitMQ"],
)
def test_each_spelling_means_the_same_subscription(bus: Bus, headers: dict[str, str]) -> None:
    reader = bus.client()
    listen(reader, name="me")
    reader.lose()
    bus.client().put("/topic/news.a", b"1")
    reader = bus.client()
    reader.send("SUBSCRIBE", {"id": "2", **headers, "destination": "/topic/news.>"})
    assert reader.bodies() == [b"1"]
    reader.send("UNSUBSCRIBE", {"id": "2", **headers, "receipt": "r"})
    assert reader.take("RECEIPT").headers["receipt-id"] == "r"
    assert bus.hub.records.durables.get("", "me") is None


def test_the_receipts_of_subscribing_and_sending_wait_for_the_disk() -> None:
    store = HeldStore()
    bus = Bus(store=store)
    reader, second, sender = bus.client(), bus.client(), bus.client()
    listen(reader, receipt="s")
    listen(second, receipt="t")
    assert (reader.frames, second.frames) == ([], [])
    store.commit()
    bus.settle()
    assert reader.take("RECEIPT").headers["receipt-id"] == "s"
    assert second.take("RECEIPT").headers["receipt-id"] == "t"
    sender.put("/topic/news.a", b"1", receipt="r")
    assert sender.frames == []
    assert reader.frames == []
    store.commit()
    bus.settle()
    assert sender.take("RECEIPT").headers["receipt-id"] == "r"
    assert reader.bodies() + second.bodies() == [b"1"]


def test_what_a_transaction_sends_is_stored_at_its_commit(bus: Bus) -> None:
    reader, sender = bus.client(), bus.client()
    sender.send("BEGIN", {"transaction": "t"})
    sender.put("/topic/news.a", b"1", transaction="t")
    listen(reader)
    reader.lose()
    assert len(bus.store.messages) == 0  # type: ignore[attr-defined]
    sender.send("COMMIT", {"transaction": "t"})
    listen(other := bus.client())
    assert other.bodies() == [b"1"]


def test_messages_that_are_not_to_be_stored_are_not(bus: Bus) -> None:
    reader = bus.client()
    listen(reader)
    plain = bus.client()
    plain.subscribe("/topic/news.a")
    plain.put("/topic/news.a", b"1", persistent="false")
    assert (reader.bodies(), plain.bodies()) == ([], [b"1"])


def test_each_user_has_names_of_his_own(bus: Bus) -> None:
    ann, bob = user(bus, "ann"), user(bus, "bob")
    listen(ann, "/topic/a")
    listen(bob, "/topic/b")
    ann.put("/topic/a", b"for ann")
    ann.put("/topic/b", b"for bob")
    assert (ann.bodies(), bob.bodies()) == ([b"for ann"], [b"for bob"])
    end(bob)
    ann.put("/topic/a", b"again")
    assert ann.bodies() == [b"again"]


def test_sessions_of_one_user_share_it(bus: Bus) -> None:
    readers = [bus.client(), bus.client()]
    for reader in readers:
        listen(reader, **{"prefetch-count": 1})
    sender = bus.client()
    for number in range(3):
        sender.put("/topic/news.a", b"%d" % number)
    frames = [reader.take() for reader in readers]
    assert sorted(frame.body for frame in frames) == [b"0", b"1"]
    readers[0].ack(frames[0])
    assert readers[0].bodies() == [b"2"]


def test_each_durable_subscription_and_each_listener_gets_a_copy(bus: Bus) -> None:
    reader, plain = bus.client(), bus.client()
    listen(reader, "/topic/a", "first")
    reader.send("SUBSCRIBE", {"destination": "/topic/*", "id": "2", NAMED: "second"})
    plain.subscribe("/topic/a")
    plain.put("/topic/a", b"x")
    assert (reader.bodies(), plain.bodies()) == ([b"x", b"x"], [b"x"])


def test_other_topics_under_the_same_name_are_refused(bus: Bus) -> None:
    reader = bus.client()
    listen(reader)
    reader.put("/topic/news.a", b"1")
    reader.lose()
    other = bus.client()
    listen(other, "/topic/else")
    assert "'audit' is to /topic/news.>" in other.error()
    listen(again := bus.client())
    assert again.bodies() == [b"1"]


def test_only_an_unsubscribe_that_names_it_ends_it(bus: Bus) -> None:
    reader, sender = bus.client(), bus.client()
    listen(reader)
    reader.send("UNSUBSCRIBE", {"id": "1"})
    sender.put("/topic/news.a", b"1")
    listen(reader)
    assert reader.take().body == b"1"
    end(reader)
    sender.put("/topic/news.a", b"2")
    assert bus.store.messages == {}  # type: ignore[attr-defined]
    listen(reader)
    restart(bus)
    listen(reader := bus.client())
    assert reader.frames == []


def test_what_was_delivered_of_an_ended_one_can_be_acked_and_comes_never_again(bus: Bus) -> None:
    reader = bus.client()
    listen(reader)
    for body in (b"1", b"2"):
        reader.put("/topic/news.a", body)
    frame = reader.take()
    end(reader)
    reader.take()
    listen(reader)
    reader.ack(frame, receipt="r")
    assert reader.take("RECEIPT").headers["receipt-id"] == "r"
    reader.lose()
    listen(other := bus.client())
    assert other.frames == []


def test_nobody_ends_it_while_others_take_from_it(bus: Bus) -> None:
    first, second = bus.client(), bus.client()
    listen(first)
    listen(second)
    end(second)
    assert "1 other subscriptions" in second.error()
    first.put("/topic/news.a", b"1")
    assert first.bodies() == [b"1"]


@pytest.mark.parametrize(
    ("command", "headers", "reason"),
    [
        ("UNSUBSCRIBE", {"id": "1", NAMED: "nothing"}, "no durable subscription 'nothing'"),
        ("UNSUBSCRIBE", {"id": "1", "durable": "true"}, "no subscription '1'"),
        ("SUBSCRIBE", {"id": "1", "destination": "/topic/a", NAMED: ""}, "1 to 255"),
        ("SUBSCRIBE", {"id": "1", "destination": "/topic/a", NAMED: "x" * 256}, "256 characters"),
        ("SUBSCRIBE", {"id": "1", "destination": "/topic/a", NAMED: "\u00fc" * 50}, "too long: /durable//%C3%BC"),
        ("SUBSCRIBE", {"id": "1", "destination": "/topic/a", NAMED: "a", "exclusive": "true"}, "cannot be exclusive"),
        (
            "SUBSCRIBE",
            {"id": "1", "destination": "/topic/a", NAMED: "a", "activemq.subscriptionName": "b"},
            "two names",
        ),
        ("SUBSCRIBE", {"id": "1", "destination": "/durable//audit/1"}, "unknown destination"),
        ("SEND", {"destination": "/durable//audit/1"}, "unknown destination"),
    ],
)
def test_what_cannot_be_is_refused_in_words(bus: Bus, command: str, headers: dict[str, str], reason: str) -> None:
    client = bus.client()
    client.send(command, headers)
    assert reason in client.error()
    assert not bus.hub.records.durables


def test_a_queue_is_durable_anyway(bus: Bus) -> None:
    client = bus.client()
    client.send("SUBSCRIBE", {"destination": "/queue/a", "id": "1", "durable": "true"})
    client.put("/queue/a", b"1")
    assert client.bodies() == [b"1"]
    client.send("UNSUBSCRIBE", {"id": "1", "durable": "true", "receipt": "r"})
    assert client.take("RECEIPT")
    assert len(bus.hub.records.durables) == 0


def test_there_is_a_limit_to_their_number() -> None:
    bus = Bus(limits=Limits(durable_subscriptions=1))
    client = bus.client()
    listen(client)
    client.send("SUBSCRIBE", {"destination": "/topic/b", "id": "2", NAMED: "other"})
    assert "1 durable subscriptions already" in client.error()


def test_a_full_one_refuses_the_send_and_is_named() -> None:
    bus = Bus(limits=Limits(queue_messages=1))
    reader, sender = bus.client(), bus.client()
    listen(reader)
    reader.lose()
    sender.put("/topic/news.a", b"1")
    sender.put("/topic/news.a", b"2")
    assert "the durable subscription /durable//audit/1 is full" in sender.error()
    sender = bus.client()
    sender.put("/topic/other", b"3", receipt="r")
    assert sender.take("RECEIPT")


def test_the_bytes_of_an_ended_one_are_given_back_to_the_quota() -> None:
    bus = Bus(limits=Limits(stored_bytes=1_000_000))
    reader = bus.client()
    listen(reader, **{"prefetch-count": 2})
    for _ in range(10):
        reader.put("/topic/news.a", b"x" * 1_000)
    assert bus.hub.quota.bytes > 10_000
    end(reader)
    assert bus.hub.quota.bytes == 0


def test_delay_expiry_and_priority_are_kept(bus: Bus) -> None:
    reader, sender = bus.client(), bus.client()
    listen(reader)
    reader.lose()
    soon = int(bus.clock.wall() * 1000) + 1_000
    sender.put("/topic/news.a", b"late", delay=2_000)
    sender.put("/topic/news.a", b"gone", expires=soon)
    sender.put("/topic/news.a", b"low", priority=1)
    sender.put("/topic/news.a", b"high", priority=9)
    restart(bus)
    bus.advance(1.5)
    listen(reader := bus.client())
    assert reader.bodies() == [b"high", b"low"]
    bus.advance(1)
    assert reader.bodies() == [b"late"]
    bus.advance(20)
    assert len(bus.store.messages) == 3  # type: ignore[attr-defined]


def test_a_delayed_message_for_one_that_has_ended_is_forgotten(bus: Bus) -> None:
    reader = bus.client()
    listen(reader)
    reader.put("/topic/news.a", b"late", delay=2_000)
    end(reader)
    listen(reader)
    bus.advance(3)
    assert reader.frames == []


def test_it_is_not_forgotten_while_nothing_waits(bus: Bus) -> None:
    listen(reader := bus.client())
    reader.lose()
    bus.advance(30)
    bus.client().put("/topic/news.a", b"1")
    listen(reader := bus.client())
    assert reader.bodies() == [b"1"]


def test_what_it_rejects_is_a_dead_letter(bus: Bus) -> None:
    reader = user(bus, "ann")
    listen(reader)
    reader.put("/topic/news.a", b"1")
    reader.nack(reader.take(), requeue="false")
    reader.subscribe("/queue/DLQ.ann/audit/1", "dead")
    assert reader.take().headers["original-destination"] == "/durable/ann/audit/1"


def test_a_full_disk_refuses_a_new_one_and_what_was_sent_to_it() -> None:
    store = FullStore()
    bus = Bus(store=store)
    reader, second = bus.client(), bus.client()
    store.full = True
    for client in (reader, second):
        client.session.receive(b"SUBSCRIBE\nid:1\ndestination:/topic/a\ndurable:true\nreceipt:s\n\n\0")
    second.session.receive(b"SEND\ndestination:/topic/a\nreceipt:r\n\n1\0")
    bus.settle()
    for client in (reader, second):
        assert "the durable subscription was not stored" in client.error()
    assert len(bus.hub.records.durables) == 0
    late = bus.client()
    late.send("SUBSCRIBE", {"id": "1", "destination": "/topic/a", "durable": "true"})
    assert "the durable subscription was not stored" in late.error()
    store.full = False
    bus.advance(1)
    late = bus.client()
    late.send("SUBSCRIBE", {"id": "1", "destination": "/topic/a", "durable": "true", "receipt": "s"})
    assert late.take("RECEIPT")
    restart(bus)
    assert len(bus.hub.records.durables) == 1


def test_what_is_sent_to_one_that_could_not_be_stored_leaves_nothing() -> None:
    class Failing(HeldStore):
        def fail(self) -> None:
            self.held.pop(0)[1](StoreFull("the disk of /data is full"))

    store = Failing()
    bus = Bus(store=store)
    reader, sender = bus.client(), bus.client()
    listen(reader, receipt="s")
    sender.put("/topic/news.a", b"1", receipt="r")
    store.fail()
    bus.settle()
    while store.held:
        store.commit()
        bus.settle()
    assert "was not stored" in reader.error()
    assert sender.take("RECEIPT")
    assert store.messages == {}
    assert store.noted.durables == {}
    assert not [name for name in bus.hub.router.queues if name.startswith("/durable/")]


def test_statistics_know_its_topic_consumers_no_more_than_before(bus: Bus) -> None:
    reader = bus.client()
    listen(reader)
    reader.put("/bus/statistics", reply_to="/temp-queue/me")
    told: dict[str, Any] = json.loads(reader.take().body)
    assert told["queues"] == []
