"""Message groups: one key goes to one subscription at a time, in order."""

from __future__ import annotations

import itertools
import random
import zlib
from collections import defaultdict

import pytest
from hypothesis import strategies as st

from swarmage.broker.queues import groups, lane, parking
from swarmage.broker.queues.groups import BUCKETS, KEYS_SEEN, group_of
from swarmage.broker.sessions.frames import Frame
from swarmage.broker.storage.store import MemoryStore

from ...seeds import random_inputs
from ..driver import Bus, Client

FIRST = "JMSXGroupFirstForConsumer"


def put(client: Client, body: bytes, group: str, **headers: str | int) -> None:
    client.put("/queue/a", body, JMSXGroupID=group, **headers)


def taker(bus: Bus, prefetch: int = 100, ack: str = "client-individual", **headers: str) -> Client:
    client = bus.client()
    client.subscribe("/queue/a", ack=ack, prefetch_count=prefetch, **headers)
    return client


def waiting_count(bus: Bus) -> int:
    return bus.hub.router.queue("/queue/a").waiting.count


@pytest.mark.parametrize(
    ("head", "group"),
    [
        (b"destination:/queue/a\nJMSXGroupID:k\ncontent-length:1\n\n", b"k"),
        (b"JMSXGroupID:k\n\n", b"k"),
        (b"xJMSXGroupID:no\nJMSXGroupID:k\\cl\nJMSXGroupID:second\n\n", b"k\\cl"),
        (b"JMSXGroupID:\n\n", None),
        (b"xJMSXGroupID:no\n\n", None),
        (b"destination:/queue/a\n\n", None),
    ],
)
def test_the_group_is_the_first_header_of_its_name(head: bytes, group: bytes | None) -> None:
    assert group_of(head) == group


def test_all_messages_of_a_group_go_to_one_subscription_in_order(bus: Bus) -> None:
    sender, takers = bus.client(), [taker(bus), taker(bus)]
    for n in range(10):
        put(sender, b"a%d" % n, "a")
        put(sender, b"b%d" % n, "b")
    got = [client.bodies() for client in takers]
    assert got == [[b"a%d" % n for n in range(10)], [b"b%d" % n for n in range(10)]]


def test_messages_without_a_group_go_on_taking_turns(bus: Bus) -> None:
    sender, one, two = bus.client(), taker(bus), taker(bus)
    put(sender, b"g", "a")
    for n in range(4):
        sender.put("/queue/a", b"%d" % n)
    put(sender, b"", "")
    assert sorted([len(one.bodies()), len(two.bodies())]) == [3, 3]


def test_an_owner_without_room_holds_nobody_up(bus: Bus) -> None:
    sender, one, two = bus.client(), taker(bus, 1), taker(bus)
    for n in range(3):
        put(sender, b"a%d" % n, "a")
    put(sender, b"b", "b")
    sender.put("/queue/a", b"free")
    first = one.take()
    assert (first.body, one.frames) == (b"a0", [])
    assert two.bodies() == [b"b", b"free"]
    assert waiting_count(bus) == 2
    one.ack(first)
    assert one.bodies() == [b"a1"]


def test_what_is_parked_is_browsed_counted_and_expires(bus: Bus) -> None:
    sender, one, _ = bus.client(), taker(bus, 1), taker(bus)
    put(sender, b"held", "a")
    put(sender, b"old", "a", expires=int(bus.clock.wall() * 1000) + 1000)
    put(sender, b"parked", "a")
    assert waiting_count(bus) == 2
    browser = bus.client()
    browser.subscribe("/queue/a", browser="true")
    assert browser.bodies() == [b"held", b"old", b"parked", b""]
    browser.put("/bus/statistics", reply_to="/temp-queue/me")
    assert b'"name":"/queue/a","waiting":2,"in_flight":1' in browser.take().body
    bus.advance(21)
    assert waiting_count(bus) == 1
    assert isinstance(bus.store, MemoryStore)
    assert [message.body for message in bus.store.messages.values()] == [b"held", b"parked"]
    one.ack(one.take())
    assert one.bodies() == [b"parked"]


def test_a_parked_message_that_has_expired_is_not_delivered(bus: Bus) -> None:
    sender, one, _ = bus.client(), taker(bus, 1), taker(bus)
    put(sender, b"held", "a")
    put(sender, b"old", "a", expires=int(bus.clock.wall() * 1000) + 1000)
    put(sender, b"new", "a")
    bus.clock.now += 2
    one.ack(one.take())
    assert one.bodies() == [b"new"]
    assert waiting_count(bus) == 0


def test_no_more_than_so_many_are_parked_and_then_the_queue_waits(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parking, "MOST_PARKED", 2)
    sender, one, two = bus.client(), taker(bus, 1), taker(bus)
    for n in range(4):
        put(sender, b"a%d" % n, "a")
    sender.put("/queue/a", b"behind")
    assert two.frames == []
    one.ack(one.take())
    assert two.bodies() == [b"behind"]
    for n in range(1, 4):
        frame = one.take()
        assert frame.body == b"a%d" % n
        one.ack(frame)


def test_no_more_than_so_many_bytes_are_parked(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parking, "MOST_PARKED_BYTES", 10)
    sender, one, two = bus.client(), taker(bus, 1), taker(bus)
    for _ in range(3):
        put(sender, b"x" * 10, "a")
    sender.put("/queue/a", b"behind")
    assert two.frames == []
    one.ack(one.take())
    assert two.bodies() == [b"behind"]


def test_parked_messages_expire_and_let_the_queue_go_on(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parking, "MOST_PARKED", 1)
    sender, _, two = bus.client(), taker(bus, 1), taker(bus)
    put(sender, b"held", "a")
    put(sender, b"old", "a", expires=int(bus.clock.wall() * 1000) + 1000)
    put(sender, b"waits", "a")
    sender.put("/queue/a", b"behind")
    assert two.frames == []
    bus.advance(21)
    assert two.bodies() == [b"behind"]


def test_a_lost_owner_s_messages_go_to_the_next_one_in_order(bus: Bus) -> None:
    sender, one, two = bus.client(), taker(bus, 2), taker(bus)
    for n in range(5):
        put(sender, b"a%d" % n, "a")
    assert one.bodies() == [b"a0", b"a1"]
    one.lose()
    assert two.bodies() == [b"a%d" % n for n in range(5)]


def test_after_unsubscribe_a_group_waits_until_what_is_held_is_settled(bus: Bus) -> None:
    sender, one, two = bus.client(), taker(bus), taker(bus)
    put(sender, b"a0", "a")
    put(sender, b"a1", "a")
    first, second = one.take(), one.take()
    one.send("UNSUBSCRIBE", {"id": "1"})
    put(sender, b"a2", "a")
    sender.put("/queue/a", b"free")
    one.ack(first)
    assert two.bodies() == [b"free"]
    assert waiting_count(bus) == 1
    one.nack(second, count="false")
    assert two.bodies() == [b"a1", b"a2"]


def test_a_message_given_back_comes_before_later_ones_of_its_group(bus: Bus) -> None:
    sender, one, _ = bus.client(), taker(bus, 2), taker(bus)
    for n in range(4):
        put(sender, b"a%d" % n, "a")
    one.nack(one.take())
    assert one.bodies() == [b"a1", b"a0"]


def test_a_new_subscription_gets_its_share_of_what_nobody_holds(bus: Bus) -> None:
    sender, one = bus.client(), taker(bus)
    keys = [str(n) for n in range(20)]
    for key in keys:
        put(sender, key.encode(), key)
    kept = one.frames.pop()
    while one.frames:
        one.ack(one.take())
    two = taker(bus)
    for key in keys:
        put(sender, key.encode(), key)
    ones, twos = one.bodies(), two.bodies()
    assert sorted([*ones, *twos]) == sorted(key.encode() for key in keys)
    assert len(twos) >= 8
    assert kept.body in ones, "somebody holds a message of this bucket, so it stays"


def test_a_parked_group_of_which_nobody_holds_anything_goes_to_a_new_subscription(bus: Bus) -> None:
    sender, one, two = bus.client(), taker(bus, 1), taker(bus)
    put(sender, b"b0", "b")
    one.ack(one.take())
    for body in (b"c0", b"a0", b"b1"):
        put(sender, body, body[:1].decode())
    assert (one.bodies(), two.bodies(), waiting_count(bus)) == ([b"a0"], [b"c0"], 1)
    new = taker(bus)
    assert sorted([*two.bodies(), *new.bodies()]) == [b"b1"]


def test_the_first_of_each_key_is_marked_for_its_new_owner(bus: Bus) -> None:
    sender, one = bus.client(), taker(bus)
    for key in ("a", "a", "b"):
        put(sender, b"x", key, **{FIRST: "forged"})
    marks = [frame.headers.get(FIRST) for frame in one.frames]
    assert marks == ["true", None, "true"]
    one.lose()
    two = taker(bus)
    assert [frame.headers.get(FIRST) for frame in two.frames] == ["true", None, "true"]
    two.nack(two.take())
    assert FIRST not in two.frames[-1].headers


def test_each_key_of_one_bucket_is_marked(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "BUCKETS", 1)
    sender, one, two = bus.client(), taker(bus), taker(bus)
    for key in ("a", "b", "a", "b"):
        put(sender, key.encode(), key)
    assert [frame.headers.get(FIRST) for frame in one.frames] == ["true", "true", None, None]
    assert two.frames == []


def test_a_key_is_marked_again_rather_than_not_at_all_when_there_are_too_many(bus: Bus) -> None:
    alike = (str(n) for n in itertools.count() if zlib.crc32(str(n).encode()) % BUCKETS == 7)
    keys = list(itertools.islice(alike, KEYS_SEEN + 1))
    sender, one = bus.client(), taker(bus, 1_000)
    for key in [*keys, keys[0], keys[-1]]:
        put(sender, b"x", key)
    marks = [frame.headers.get(FIRST) for frame in one.frames]
    assert marks == ["true"] * (KEYS_SEEN + 2) + [None]


def test_an_owner_that_gets_its_bucket_again_is_not_told_to_begin_anew(bus: Bus) -> None:
    sender, one = bus.client(), taker(bus)
    put(sender, b"0", "a")
    one.ack(one.take())
    taker(bus).lose()
    put(sender, b"1", "a")
    assert FIRST not in one.take().headers


def test_the_priority_counts_inside_a_group_too(bus: Bus) -> None:
    sender = bus.client()
    for body, priority in ((b"0", 4), (b"1", 9), (b"2", 4)):
        put(sender, body, "a", priority=priority)
    one, _ = taker(bus, 1), taker(bus)
    order = []
    while one.frames:
        frame = one.take()
        order.append(frame.body)
        one.ack(frame)
    assert order == [b"1", b"0", b"2"]


def test_a_delayed_message_of_a_group_goes_to_its_owner_even_after_a_restart(bus: Bus) -> None:
    put(bus.client(), b"late", "a", delay=1000)
    bus.start()
    sender, one, two = bus.client(), taker(bus), taker(bus)
    put(sender, b"now", "a")
    put(sender, b"other", "b")
    bus.advance(2)
    assert (one.bodies(), two.bodies()) == ([b"now", b"late"], [b"other"])


def test_a_backlog_on_the_disk_keeps_its_groups(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "HEAD", 10)
    sender = bus.client()
    for n in range(50):
        put(sender, b"%d" % n, "ab"[n % 2])
    bus.start()
    one, two = taker(bus, ack="auto"), taker(bus, ack="auto")
    first, second = one.bodies(), two.bodies()
    assert len(first) + len(second) == 50
    one.lose()
    two.lose()
    assert first in ([b"%d" % n for n in range(0, 50, 2)], [b"%d" % n for n in range(50)])


def test_any_number_of_keys_takes_a_bounded_number_of_buckets(bus: Bus) -> None:
    sender, one = bus.client(), taker(bus, ack="auto")
    for n in range(3_000):
        put(sender, b"", f"key {n}")
    assert len(one.bodies()) == 3_000
    kept = bus.hub.router.queue("/queue/a").groups
    assert kept is not None
    assert 900 < len(kept._buckets) <= BUCKETS


def test_a_queue_without_groups_has_nothing_for_them(bus: Bus) -> None:
    sender, _ = bus.client(), taker(bus)
    sender.put("/queue/a", b"x")
    assert bus.hub.router.queue("/queue/a").groups is None


def test_groups_mean_nothing_to_topics_and_temporary_queues(bus: Bus) -> None:
    client = bus.client()
    client.subscribe("/topic/a", ack="client-individual")
    client.subscribe("/temp-queue/b", "2", ack="client-individual")
    for destination in ("/topic/a", "/temp-queue/b"):
        client.put(destination, b"x", JMSXGroupID="k")
        frame = client.take()
        assert FIRST not in frame.headers
        client.ack(frame)
    assert client.frames == []


def test_connections_that_share_a_durable_subscription_share_its_groups(bus: Bus) -> None:
    clients = [bus.client(), bus.client()]
    for client in clients:
        name = {"durable-subscription-name": "d"}
        client.send("SUBSCRIBE", {"destination": "/topic/a", "id": "1", "ack": "client-individual", **name})
    sender = bus.client()
    for n in range(4):
        sender.put("/topic/a", b"%d" % n, JMSXGroupID="ab"[n % 2])
    frames = [client.frames for client in clients]
    assert [[frame.body for frame in each] for each in frames] == [[b"0", b"2"], [b"1", b"3"]]
    assert [[frame.headers.get(FIRST) for frame in each] for each in frames] == [["true", None]] * 2


def test_the_next_exclusive_subscription_waits_for_what_the_one_before_still_holds_of_a_group(bus: Bus) -> None:
    sender, one = bus.client(), taker(bus)
    put(sender, b"a0", "a")
    held = one.take()
    chosen = taker(bus, exclusive="true")
    put(sender, b"a1", "a")
    put(sender, b"b", "b")
    assert chosen.bodies() == [b"b"]
    one.ack(held)
    assert chosen.bodies() == [b"a1"]
    chosen.lose()
    assert one.bodies() == [b"a1", b"b"]


class Check:
    """Takers that do at random what they may, and what is promised to them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.bus = Bus()
        self.sender = self.bus.client()
        self.takers: list[Client] = []
        self.held: dict[Client, list[Frame]] = {}
        self.sent = 0
        self.seen: defaultdict[str, list[int]] = defaultdict(list)
        self.done: list[int] = []

    def step(self) -> None:
        choice = self.random.random()
        if choice < 0.5:
            put(self.sender, b"%d" % self.sent, self.random.choice("abcdefgh"))
            self.sent += 1
        elif choice < 0.6 and len(self.takers) < 5:
            self.join(self.random.randrange(1, 4))
        elif choice < 0.65 and self.takers:
            client = self.takers.pop(self.random.randrange(len(self.takers)))
            if self.random.random() < 0.5:
                client.lose()
                self.held.pop(client)
            else:
                client.send("UNSUBSCRIBE", {"id": "1"})
        else:
            self.settle()
        self.look()

    def join(self, prefetch: int) -> None:
        client = taker(self.bus, prefetch)
        self.takers.append(client)
        self.held[client] = []

    def settle(self) -> None:
        holders = [client for client, frames in self.held.items() if frames]
        if holders:
            client = self.random.choice(holders)
            frame = self.held[client].pop(self.random.randrange(len(self.held[client])))
            if self.random.random() < 0.7:
                client.ack(frame)
                self.done.append(int(frame.body))
            else:
                client.nack(frame)

    def look(self) -> None:
        for client, frames in self.held.items():
            for frame in client.frames:
                key, number = frame.headers["JMSXGroupID"], int(frame.body)
                if number not in self.seen[key]:
                    assert all(earlier < number for earlier in self.seen[key]), f"{number} overtook in group {key}"
                    self.seen[key].append(number)
            frames.extend(client.frames)
            client.frames.clear()
        owners = defaultdict(set)
        for client, frames in self.held.items():
            for frame in frames:
                owners[frame.headers["JMSXGroupID"]].add(client)
        assert all(len(each) == 1 for each in owners.values()), "two hold messages of one group"

    def finish(self) -> None:
        self.join(1)
        for _ in range(self.sent * 10 + 10):
            self.settle()
            self.look()
        assert sorted(self.done) == list(range(self.sent))
        assert waiting_count(self.bus) == 0


CHECKS = st.integers(0, 2**32), st.sampled_from([1, 2, BUCKETS]), st.sampled_from([1, 3, 1_000])


def check(seed: int, buckets: int, parked: int) -> None:
    """Do what comes to mind to the groups of a queue, and look at each of them after each step."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "BUCKETS", buckets)
        patch.setattr(parking, "MOST_PARKED", parked)
        each = Check(seed)
        for _ in range(150):
            each.step()
        each.finish()


@random_inputs(*CHECKS, examples=6)
def test_no_group_is_ever_at_two_places_or_out_of_order_or_lost(seed: int, buckets: int, parked: int) -> None:
    check(seed, buckets, parked)  # tests/simulation/test_long_runs.py does it far more often
