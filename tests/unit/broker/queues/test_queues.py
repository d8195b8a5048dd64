from __future__ import annotations

import pytest

from swarmage.broker.limits import Limits
from swarmage.broker.storage.store import MemoryStore

from ..driver import Bus, HeldStore


def test_a_message_reaches_a_subscriber_with_the_sender_s_headers(bus: Bus) -> None:
    client = bus.client()
    client.subscribe("/queue/a", ack="client-individual")
    client.send("SEND", {"destination": "/queue/a", "x\\cy": "1\\n2", "receipt": "r", "message-id": "forged"}, b"hi")
    frames = {frame.command: frame for frame in client.frames}
    headers = frames["MESSAGE"].headers
    number = headers.pop("message-id")
    assert headers == {
        "subscription": "1",
        "ack": number,
        "destination": "/queue/a",
        "x:y": "1\n2",
        "content-length": "2",
    }
    assert number.isdigit()
    assert frames["RECEIPT"].headers == {"receipt-id": "r"}


@pytest.mark.parametrize(("version", "value"), [("1.0", "a:bc\\"), ("1.1", "a:bc\\"), ("1.2", "a:b\rc\\")])
def test_each_version_gets_headers_in_its_own_encoding(bus: Bus, version: str, value: str) -> None:
    old, new = bus.client(version), bus.client()
    old.subscribe("/queue/a")
    new.put("/queue/a", b"", x="a\\cb\\rc\\\\")
    assert old.take().headers["x"] == value


def test_a_bare_name_is_a_queue_and_comes_back_as_it_was_sent(bus: Bus) -> None:
    client = bus.client()
    client.subscribe("/queue/a")
    client.put("a")
    assert client.take().headers["destination"] == "a"


def test_subscribers_take_turns(bus: Bus) -> None:
    first, second, sender = bus.client(), bus.client(), bus.client()
    first.subscribe("/queue/a")
    second.subscribe("/queue/a")
    for n in range(6):
        sender.put("/queue/a", b"%d" % n)
    assert (len(first.bodies()), len(second.bodies())) == (3, 3)


def test_nobody_gets_more_than_the_prefetch_until_acks_free_it(bus: Bus) -> None:
    client = bus.client()
    for n in range(5):
        client.put("/queue/a", b"%d" % n)
    client.subscribe("/queue/a", ack="client-individual", prefetch_count=2)
    first, second = client.take(), client.take()
    assert client.frames == []
    client.ack(second)
    assert client.take().body == b"2"
    client.ack(first)
    assert client.take().body == b"3"


def test_prefetch_has_the_other_bus_s_name_too_and_a_default(bus: Bus) -> None:
    client = bus.client()
    for _ in range(1_100):
        client.put("/queue/a")
    client.subscribe("/queue/a", ack="client", **{"activemq.prefetchSize": 3})
    assert len(client.bodies()) == 3
    client.subscribe("/queue/a", "2", ack="client")
    assert len(client.bodies()) == 1_000


def test_a_paused_connection_gets_nothing_until_it_reads_again(bus: Bus) -> None:
    client, sender = bus.client(), bus.client()
    client.subscribe("/queue/a")
    client.session.pause()
    sender.put("/queue/a", b"1")
    assert client.frames == []
    client.session.resume()
    bus.settle()
    assert client.bodies() == [b"1"]


def test_a_paused_connection_leaves_messages_to_others(bus: Bus) -> None:
    slow, quick = bus.client(), bus.client()
    slow.subscribe("/queue/a")
    quick.subscribe("/queue/a")
    slow.session.pause()
    for n in range(3):
        quick.put("/queue/a", b"%d" % n)
    assert quick.bodies() == [b"0", b"1", b"2"]


def test_a_long_queue_is_written_in_portions() -> None:
    bus = Bus(limits=Limits(output_bytes=1_000))
    client = bus.client()
    for _ in range(30):
        client.put("/queue/a", b"x" * 500)
    written: list[int] = []
    client.write = lambda data: written.append(len(data))  # type: ignore[method-assign]
    client.subscribe("/queue/a")
    assert len(written) > 10
    assert max(written) < 2_000


def test_higher_priority_goes_first_and_equal_ones_in_order(bus: Bus) -> None:
    client = bus.client()
    for body, priority in [(b"a", 4), (b"b", 9), (b"c", 0), (b"d", 9)]:
        client.put("/queue/a", body, priority=priority)
    client.put("/queue/a", b"e")
    client.subscribe("/queue/a")
    assert client.bodies() == [b"b", b"d", b"a", b"e", b"c"]


def test_a_delayed_message_waits_for_its_time(bus: Bus) -> None:
    client = bus.client()
    client.subscribe("/queue/a")
    client.put("/queue/a", b"late", delay=1500)
    client.send("SEND", {"destination": "/queue/a", "AMQ_SCHEDULED_DELAY": "500"}, b"soon")
    client.put("/queue/a", b"now")
    assert client.bodies() == [b"now"]
    assert bus.hub.router.next_due == bus.clock.now + 0.5
    bus.advance(0.5)
    assert client.bodies() == [b"soon"]
    bus.advance(0.75)
    assert client.bodies() == []
    bus.advance(0.25)
    assert client.bodies() == [b"late"]


def test_a_delay_does_not_follow_the_wall_clock(bus: Bus) -> None:
    client = bus.client()
    client.subscribe("/queue/a")
    client.put("/queue/a", b"x", delay=1000)
    bus.clock.epoch += 3600
    bus.advance(0.5)
    assert client.bodies() == []


def test_a_delayed_message_survives_a_restart_with_the_rest_of_its_delay(bus: Bus) -> None:
    bus.client().put("/queue/a", b"x", delay=10_000)
    bus.clock.now += 4
    bus.start()
    client = bus.client()
    client.subscribe("/queue/a")
    bus.advance(5.5)
    assert client.bodies() == []
    bus.advance(0.75)
    assert client.bodies() == [b"x"]


def test_an_expired_message_is_dropped_and_removed_from_the_store(bus: Bus) -> None:
    client = bus.client()
    client.put("/queue/a", b"old", expires=int(bus.clock.wall() * 1000) + 1000)
    client.put("/queue/a", b"ever", expires=0)
    bus.clock.now += 2
    client.subscribe("/queue/a")
    assert client.bodies() == [b"ever"]
    assert isinstance(bus.store, MemoryStore)
    assert bus.store.messages == {}


def test_the_sweep_finds_expired_messages_that_nobody_asks_for(bus: Bus) -> None:
    bus.client().put("/queue/a", b"old", expires=int(bus.clock.wall() * 1000) + 1000)
    bus.advance(21)
    assert isinstance(bus.store, MemoryStore)
    assert bus.store.messages == {}
    assert bus.hub.router.queues == {}


def test_a_message_that_is_not_persistent_is_not_stored(bus: Bus) -> None:
    client = bus.client()
    client.put("/queue/a", b"x", persistent="false")
    client.put("/topic/a", b"x")
    assert isinstance(bus.store, MemoryStore)
    assert bus.store.messages == {}
    client.subscribe("/queue/a")
    assert client.bodies() == [b"x"]


def test_neither_receipt_nor_delivery_comes_before_the_commit() -> None:
    store = HeldStore()
    bus = Bus(store=store)
    client = bus.client()
    client.subscribe("/queue/a")
    client.put("/queue/a", b"1", receipt="r1")
    client.put("/queue/a", b"2", receipt="r2")
    client.put("/queue/a", b"3", receipt="r3")
    assert client.frames == []
    store.commit()
    bus.settle()
    assert {frame.command for frame in client.frames} == {"RECEIPT", "MESSAGE"}
    assert len(client.frames) == 2
    assert [len(batch.inserts) for batch, _ in store.held] == [2], "what came meanwhile goes together"


def test_the_receipt_of_a_disconnect_waits_for_earlier_work() -> None:
    store = HeldStore()
    bus = Bus(store=store)
    client = bus.client()
    client.put("/queue/a", b"1")
    client.send("DISCONNECT", {"receipt": "bye"})
    assert client.frames == []
    store.commit()
    bus.settle()
    assert client.take("RECEIPT").headers["receipt-id"] == "bye"
    assert client.finished


def test_a_failed_commit_confirms_nothing() -> None:
    store = HeldStore()
    bus = Bus(store=store)
    client = bus.client()
    client.put("/queue/a", b"1", receipt="r")
    store.held[0][1](OSError("disk"))
    bus.settle()
    assert client.frames == []
    assert bus.hub.journal.failed is not None
