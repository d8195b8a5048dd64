from __future__ import annotations

import json

import pytest

from swarmage.broker.limits import Limits

from ..driver import Bus


def test_a_topic_reaches_everybody_who_listens_each_with_an_id_of_its_own(bus: Bus) -> None:
    first, second = bus.client(), bus.client()
    first.subscribe("/topic/a", ack="client")
    second.subscribe("/topic/a")
    second.put("/topic/a", b"x")
    one, two = first.take(), second.take()
    assert one.headers["destination"] == two.headers["destination"] == "/topic/a"
    assert one.headers["message-id"] != two.headers["message-id"]
    first.ack(one)


def test_who_listens_later_does_not_hear_what_was_said(bus: Bus) -> None:
    client = bus.client()
    client.put("/topic/a", b"x")
    client.subscribe("/topic/a")
    assert client.frames == []


@pytest.mark.parametrize(
    ("pattern", "name", "heard"),
    [
        ("a.*", "a.b", True),
        ("a.*", "a.b.c", False),
        ("a.*", "a", False),
        ("*.b", "a.b", True),
        ("a.>", "a.b.c", True),
        ("a.#", "a.b", True),
        ("a.>", "ab", False),
        (">", "a.b", True),
        ("a.*.c", "a.b.c", True),
        ("a+b", "aab", False),
        ("a.b", "a.b", True),
    ],
)
def test_wildcards_match_words(bus: Bus, pattern: str, name: str, heard: bool) -> None:
    client = bus.client()
    client.subscribe(f"/topic/{pattern}")
    client.put(f"/topic/{name}", b"x")
    assert len(client.frames) == heard


def test_a_listener_that_left_hears_nothing(bus: Bus) -> None:
    client, other = bus.client(), bus.client()
    client.subscribe("/topic/a", "1")
    client.subscribe("/topic/*", "2")
    other.subscribe("/topic/*")
    client.send("UNSUBSCRIBE", {"id": "1"})
    client.send("UNSUBSCRIBE", {"id": "2"})
    other.lose()
    client.put("/topic/a")
    assert client.frames == []
    assert bus.hub.router.topics.counts() == {}


def test_a_listener_too_slow_to_follow_is_told_so() -> None:
    bus = Bus(limits=Limits(private_backlog=3))
    slow, sender = bus.client(), bus.client()
    slow.subscribe("/topic/a", ack="client", prefetch_count=1)
    for _ in range(5):
        sender.put("/topic/a")
    slow.take()
    assert "too slow" in slow.error()
    assert not sender.finished


def test_a_reply_comes_back_over_a_temporary_queue_without_a_subscription(bus: Bus) -> None:
    asker, worker = bus.client(), bus.client()
    worker.subscribe("/queue/a")
    asker.put("/queue/a", b"?", reply_to="/temp-queue/r")
    address = worker.take().headers["reply-to"]
    assert address.startswith("/reply-queue/")
    worker.put(address, b"!")
    frame = asker.take()
    assert (frame.body, frame.headers["subscription"]) == (b"!", "/temp-queue/r")
    assert "ack" not in frame.headers


def test_a_temporary_queue_may_be_subscribed_first(bus: Bus) -> None:
    asker, worker = bus.client(), bus.client()
    asker.subscribe("/temp-queue/r", "mine", ack="client")
    worker.subscribe("/queue/a")
    asker.put("/queue/a", b"?", reply_to="/temp-queue/r")
    worker.put(worker.take().headers["reply-to"], b"!")
    assert asker.take().headers["subscription"] == "mine"
    asker.put("/temp-queue/r", b"to myself")
    assert asker.take().body == b"to myself"


def test_a_temporary_queue_goes_with_its_connection(bus: Bus) -> None:
    asker, worker = bus.client(), bus.client()
    worker.subscribe("/queue/a")
    asker.put("/queue/a", b"?", reply_to="/temp-queue/r")
    asker.lose()
    worker.put(worker.take().headers["reply-to"], b"!")
    assert "gone" in worker.error()
    assert bus.hub.router.queues.keys() == {"/queue/a"}


def test_browsing_shows_waiting_delayed_and_held_messages_and_takes_none(bus: Bus) -> None:
    client = bus.client()
    client.put("/queue/a", b"held")
    client.subscribe("/queue/a", "other", ack="client", prefetch_count=1)
    client.put("/queue/a", b"waits")
    client.put("/queue/a", b"late", delay=5000)
    client.take()
    client.subscribe("/queue/a", "look", ack="client", browser="true")
    *shown, last = client.frames
    assert [frame.body for frame in shown] == [b"held", b"waits", b"late"]
    assert all("ack" not in frame.headers for frame in shown)
    assert last.headers["browser"] == "end"
    assert {frame.headers["subscription"] for frame in client.frames} == {"look"}
    queue = bus.hub.router.queues["/queue/a"]
    assert (queue.waiting.count, queue.in_flight, queue.delayed, queue.consumers) == (1, 1, 1, 1)


def test_statistics_tell_what_is_where(bus: Bus) -> None:
    client = bus.client()
    for _ in range(3):
        client.put("/queue/a")
    client.put("/queue/a", delay=1000)
    client.subscribe("/queue/a", ack="client", prefetch_count=1)
    client.subscribe("/topic/t.*", "t")
    client.take()
    bus.advance(0.5)
    client.put("/bus/statistics", reply_to="/temp-queue/s", correlation_id="42")
    frame = client.take()
    assert frame.headers["content-type"] == "application/json"
    assert frame.headers["correlation-id"] == "42"
    told = json.loads(frame.body)
    [queue] = told["queues"]
    expected = {"name": "/queue/a", "waiting": 2, "in_flight": 1, "delayed": 1, "consumers": 1, "oldest_age": 0.5}
    assert queue.items() >= expected.items()
    assert told["topics"] == [{"name": "/topic/t.*", "consumers": 1}]
    assert told["bus"]["server"] == "swarmage/0.1.0"
    assert told["bus"]["uptime"] == 0.5
    assert (told["bus"]["messages_in"], told["bus"]["messages_out"], told["bus"]["messages_waiting"]) == (4, 1, 2)
    assert told["bus"]["connections"] == 1


def test_statistics_may_be_sent_to_any_queue(bus: Bus) -> None:
    client = bus.client()
    client.put("/bus/statistics", reply_to="/queue/stats")
    client.subscribe("/queue/stats")
    assert json.loads(client.take().body)["topics"] == []
    client.put("/bus/statistics")
    assert "reply-to" in client.error()
