"""What a SEND to /bus/… does, and what it answers."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from swarmage.broker.entrance.rights import Rights
from swarmage.broker.limits import Limits
from swarmage.broker.queues import lane
from tests.unit.seeds import SEED

from ..driver import Bus, Client, HeldStore
from ..sessions.test_acks import stored
from ..storage.test_disk_full import FullStore

Told = Mapping[str, Any]


def ask(client: Client, what: str, **request: Any) -> Any:
    """Ask and return the answer, which must come at once."""
    client.put(f"/bus/{what}", json.dumps(request).encode(), reply_to="/temp-queue/answers", correlation_id=what)
    frame = client.take()
    assert (frame.headers["correlation-id"], frame.headers["content-type"]) == (what, "application/json")
    return json.loads(frame.body)


def move(client: Client, origin: str, target: str, **more: Any) -> Any:
    return ask(client, "move", **{"from": origin, "to": target, **more})


def fill(bus: Bus, count: int, queue: str = "/queue/a", **headers: str | int) -> Client:
    client = bus.client()
    for number in range(count):
        client.put(queue, b"%d" % number, **headers)
    return client


def taken(bus: Bus, queue: str = "/queue/a") -> list[bytes]:
    client = bus.client()
    client.subscribe(queue)
    return client.bodies()


@pytest.fixture(params=["in memory", "paged"])
def paged(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "paged":
        monkeypatch.setattr(lane, "HEAD", 4)


@pytest.mark.usefixtures("paged")
def test_a_purge_deletes_what_waits_for_good_and_nothing_else(bus: Bus) -> None:
    admin = fill(bus, 30)
    fill(bus, 5, priority=9)
    fill(bus, 3, "/queue/b")
    admin.put("/queue/a", b"later", delay=60_000)
    holder = bus.client()
    holder.subscribe("/queue/a", ack="client-individual", prefetch_count=2)
    assert ask(admin, "purge", queue="/queue/a") == {"ok": {"purged": 33}}
    assert ask(admin, "purge", queue="a") == {"ok": {"purged": 0}}
    holder.put("/queue/a", b"new")
    held = [holder.take(), holder.take()]
    assert sorted(stored(bus)) == sorted([b"0", b"1", b"2", b"later", b"new", *(frame.body for frame in held)])
    bus.start()
    assert Counter(taken(bus)) == Counter([b"new", *(frame.body for frame in held)])


@pytest.mark.usefixtures("paged")
def test_a_move_keeps_the_order_and_survives_a_restart(bus: Bus) -> None:
    admin = fill(bus, 30)
    fill(bus, 5, priority=9)
    assert move(admin, "/queue/a", "b") == {"ok": {"moved": 35}}
    bus.start()
    assert taken(bus) == []
    assert taken(bus, "/queue/b") == [b"%d" % n for n in [*range(5), *range(30)]]


@pytest.mark.usefixtures("paged")
def test_a_move_of_so_many_takes_those_that_would_be_delivered_first(bus: Bus) -> None:
    admin = fill(bus, 30)
    fill(bus, 6, priority=9)
    assert move(admin, "/queue/a", "/queue/b", most=16) == {"ok": {"moved": 16}}
    assert taken(bus, "/queue/b") == [b"%d" % n for n in [*range(6), *range(10)]]
    assert taken(bus) == [b"%d" % n for n in range(10, 30)]


@pytest.mark.parametrize("act", ["purge", "move"])
def test_messages_of_groups_that_wait_for_one_subscription_alone_are_taken_too(bus: Bus, act: str) -> None:
    holder, other = bus.client(), bus.client()
    holder.subscribe("/queue/a", ack="client-individual", prefetch_count=1)
    admin = fill(bus, 10, JMSXGroupID="k")
    other.subscribe("/queue/a", ack="client-individual")  # has room, so that all others are parked
    for number in range(10, 13):
        admin.put("/queue/a", b"%d" % number, JMSXGroupID="k", priority=9)
    if act == "purge":
        assert ask(admin, "purge", queue="a") == {"ok": {"purged": 12}}
    else:
        assert move(admin, "a", "b", most=5) == {"ok": {"moved": 5}}
        assert taken(bus, "/queue/b") == [b"10", b"11", b"12", b"1", b"2"]
        assert move(admin, "a", "c") == {"ok": {"moved": 7}}
    assert other.frames == []
    assert holder.bodies() == [b"0"]


def test_a_moved_message_says_where_it_is_now_and_counts_from_the_beginning(bus: Bus) -> None:
    admin, client = bus.client(), bus.client()
    admin.put("/queue/a", b"x", colour="green", expires=int(bus.clock.wall() * 1000) + 60_000)
    client.subscribe("/queue/a", ack="client")
    client.nack(client.take())
    client.lose()
    move(admin, "/queue/a", "/queue/b:1")
    admin.subscribe("/queue/b\\c1", "2")
    frame = admin.take()
    assert (frame.headers["destination"], frame.headers["colour"], frame.body) == ("/queue/b:1", "green", b"x")
    assert "expires" in frame.headers
    assert "delivery-count" not in frame.headers


def test_a_dead_letter_is_redriven_and_may_die_again_and_again(bus: Bus) -> None:
    admin, client = bus.client(), bus.client()
    admin.put("/queue/a", b"x")
    client.subscribe("/queue/a", ack="client")
    heads = []
    for _ in range(3):
        client.nack(client.take(), requeue="false")
        assert move(admin, "/queue/DLQ.a", "/queue/a") == {"ok": {"moved": 1}}
        [message] = client.session.unacked.values()
        heads.append(message.head)
    assert len(set(heads)) == 1
    assert b"original-destination" not in heads[0]
    assert move(admin, "/queue/a", "/queue/DLQ.a") == {"ok": {"moved": 0}}  # it is in flight


def test_a_move_is_one_batch_and_its_answer_comes_when_that_is_stored() -> None:
    store = HeldStore()
    bus = Bus(store=store)
    admin = bus.client()
    for _ in range(3):
        admin.put("/queue/a", b"x")
        store.commit()
    admin.put("/bus/move", b'{"from": "/queue/a", "to": "/queue/b"}', reply_to="/temp-queue/r", receipt="r")
    [(batch, _)] = store.held
    assert (len(batch.inserts), len(batch.deletes)) == (3, 3)
    assert admin.frames == []
    store.commit()
    bus.settle()
    assert sorted(frame.command for frame in admin.frames) == ["MESSAGE", "RECEIPT"]


def test_a_move_that_the_disk_has_no_room_for_leaves_everything_where_it_was() -> None:
    store = FullStore()
    bus = Bus(store=store)
    admin = fill(bus, 5)
    store.full = True
    admin.put("/bus/move", b'{"from": "/queue/a", "to": "/queue/b"}', reply_to="/temp-queue/r")
    assert "full" in admin.error()
    store.full = False
    bus.advance(1)
    assert taken(bus) == [b"%d" % n for n in range(5)]
    assert taken(bus, "/queue/b") == []


def test_a_move_into_a_queue_that_has_no_room_says_so_and_moves_nothing() -> None:
    bus = Bus(limits=Limits(queue_messages=5))
    admin = fill(bus, 4)
    fill(bus, 4, "/queue/b")
    told = move(admin, "/queue/a", "/queue/b")
    assert told == {"error": "the queue /queue/b is full: it may hold 5 messages (--max-queue-messages); 0 moved"}
    assert taken(bus) == [b"0", b"1", b"2", b"3"]


def test_a_message_that_is_not_stored_is_moved_and_purged_too(bus: Bus) -> None:
    admin = fill(bus, 2, persistent="false")
    assert move(admin, "/queue/a", "/queue/b", most=1) == {"ok": {"moved": 1}}
    assert ask(admin, "purge", queue="/queue/a") == {"ok": {"purged": 1}}
    assert taken(bus, "/queue/b") == [b"0"]
    assert stored(bus) == []


def test_who_left_meanwhile_gets_nothing_more_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "HEAD", 4)
    store = HeldStore()
    bus = Bus(store=store)
    admin = bus.client()
    for _ in range(10):
        admin.put("/queue/a", b"x")
        store.commit()
    admin.put("/bus/purge", b'{"queue": "a"}', reply_to="/temp-queue/r")
    admin.lose()
    store.commit()
    bus.settle()
    assert store.held == []
    assert len(store.messages) == 6


def test_random_moves_and_purges_lose_and_double_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(SEED)
    monkeypatch.setattr(lane, "HEAD", 3)
    for _ in range(30):
        bus = Bus()
        admin, worker = bus.client(), bus.client()
        worker.subscribe("/queue/b", ack="client-individual", prefetch_count=2)
        sent: Counter[bytes] = Counter()
        moved = purged = 0
        for number in range(dice.randrange(60)):
            queue, body = dice.choice(["/queue/a", "/queue/b"]), b"%d" % number
            admin.put(queue, body, priority=dice.randrange(3), persistent=dice.choice(["true", "true", "false"]))
            sent[body] += 1
            roll = dice.random()
            if roll < 0.05:
                moved += move(admin, "/queue/a", "/queue/b", most=dice.randrange(1, 20))["ok"]["moved"]
            elif roll < 0.1:
                moved += move(admin, "/queue/b", "/queue/a")["ok"]["moved"]
            elif roll < 0.13:
                purged += ask(admin, "purge", queue=queue)["ok"]["purged"]
            elif roll < 0.4 and worker.frames:
                worker.nack(worker.take())
        worker.lose()
        left = Counter(taken(bus) + taken(bus, "/queue/b"))
        assert left <= sent, f"SWARMAGE_SEED={SEED}"
        assert left.total() == sent.total() - purged, f"SWARMAGE_SEED={SEED}"
        assert stored(bus) == []


def test_a_connection_is_ended_and_told_why(bus: Bus) -> None:
    admin, victim = bus.client(), bus.client()
    admin.put("/queue/a", b"x")
    victim.subscribe("/queue/a", ack="client")
    victim.take()
    assert ask(admin, "disconnect", connection=victim.session.id) == {"ok": {"disconnected": victim.session.id}}
    assert victim.error() == "an administrator ended this connection"
    admin.subscribe("/queue/a", "2")
    assert "delivery-count" not in admin.take().headers
    assert "no connection" in ask(admin, "disconnect", connection=victim.session.id)["error"]
    assert "DISCONNECT frame" in ask(admin, "disconnect", connection=admin.session.id)["error"]


def test_connections_are_told_with_what_they_subscribed_to(bus: Bus) -> None:
    bus = Bus(users={"ann": "s3cret"})
    admin = Client(bus, "192.0.2.1:1234")
    admin.send("CONNECT", {"accept-version": "1.1,1.2", "login": "ann", "passcode": "s3cret", "heart-beat": "1000,0"})
    admin.take("CONNECTED")
    admin.put("/queue/a", b"x")
    admin.put("/queue/a", b"y")
    admin.subscribe("/queue/a", "mine", ack="client-individual", prefetch_count=5)
    admin.ack(admin.take())
    admin.take()
    bus.advance(2)
    [told] = ask(admin, "connections")["ok"]
    subscriptions = told.pop("subscriptions")
    assert told == {
        "id": admin.session.id,
        "peer": "192.0.2.1:1234",
        "login": "ann",
        "version": "1.2",
        "since": 2.0,
        "heart_beat": {"expected": 1.0, "promised": 0.0},
        "unacked": 1,
        "choked": False,
        "subscription_count": 2,
    }
    assert subscriptions == [
        {"id": "mine", "destination": "/queue/a", "ack": "client-individual", "prefetch": 5, "in_flight": 1},
        {
            "id": "/temp-queue/answers", "destination": "/temp-queue/answers", "ack": "auto", "prefetch": None,
            "in_flight": 0,
        },
    ]  # fmt: skip


def test_many_subscriptions_are_told_only_of_the_connection_that_is_asked_for(bus: Bus) -> None:
    admin, other = bus.client(), bus.client()
    for number in range(30):
        other.subscribe(f"/queue/{number}", str(number))
    one, two = ask(admin, "connections")["ok"]
    assert (one["id"], two["subscription_count"], len(two["subscriptions"])) == (admin.session.id, 30, 20)
    [alone] = ask(admin, "connections", connection=other.session.id)["ok"]
    assert len(alone["subscriptions"]) == 30
    assert "no connection 'bus-99'" in ask(admin, "connections", connection="bus-99")["error"]


def test_statistics_of_some_queues_are_asked_for_by_how_their_names_begin(bus: Bus) -> None:
    admin = bus.client()
    for name in ("mail.a", "mail.b", "other"):
        admin.put(f"/queue/{name}")
    for prefix in ("mail.", "/queue/mail."):
        assert [queue["name"] for queue in ask(admin, "statistics", queue=prefix)["queues"]] == [
            "/queue/mail.a",
            "/queue/mail.b",
        ]
    assert ask(admin, "statistics", queue="mail.")["bus"]["messages_waiting"] == 3


def test_statistics_count_what_became_of_messages(bus: Bus) -> None:
    admin, worker = bus.client(), bus.client()
    for number in range(6):
        admin.put("/queue/a", b"%d" % number)
    admin.put("/queue/a", b"late", expires=int(bus.clock.wall() * 1000) + 100)
    bus.advance(1)
    worker.subscribe("/queue/a", ack="client-individual", prefetch_count=6)
    worker.ack(worker.take())
    worker.nack(worker.take(), requeue="false")
    worker.nack(worker.take())
    worker.ack(worker.take())
    [dead, queue] = ask(admin, "statistics")["queues"]
    counts = {"in": 7, "out": 7, "acked": 2, "dead": 1, "expired": 1, "in_flight": 3, "waiting": 0}
    assert queue.items() >= counts.items()
    assert (dead["name"], dead["in"], dead["out"]) == ("/queue/DLQ.a", 1, 0)
    figures = ask(admin, "statistics")["bus"]
    assert (figures["acked"], figures["expired"], figures["dead"]) == (2, 1, 1)


def test_counts_of_the_bus_outlive_the_queues(bus: Bus) -> None:
    admin = fill(bus, 3)
    admin.subscribe("/queue/a", ack="client")
    for _ in range(3):
        admin.ack(admin.take())
    admin.send("UNSUBSCRIBE", {"id": "1"})
    bus.advance(30)
    told = ask(admin, "statistics")
    assert told["queues"] == []
    assert told["bus"]["acked"] == 3


def test_rates_are_those_of_the_last_seconds(bus: Bus) -> None:
    admin = bus.client()
    bus.advance(20)
    for _ in range(40):
        admin.put("/queue/a", b"x")
        bus.advance(0.25)
    told = ask(admin, "statistics")
    for figures in (told["bus"], told["queues"][0]):
        assert 3.5 <= figures["rate_in"] <= 4.5
    assert told["queues"][0]["rate_out"] == 0
    bus.advance(11)
    told = ask(admin, "statistics")
    assert told["queues"][0]["rate_in"] == 0
    assert told["bus"]["rate_in"] == 0
    admin.subscribe("/queue/a")
    assert len(admin.bodies()) == 40
    assert ask(admin, "statistics")["queues"][0]["rate_out"] >= 4


@pytest.mark.parametrize(
    ("what", "body", "reason"),
    [
        ("purge", b"", "`queue`"),
        ("purge", b"{", "truncated"),
        ("purge", b'{"queue": 1}', "`str`"),
        ("purge", b'{"queue": "/topic/a"}', "is no queue"),
        ("purge", b'{"queue": "/temp-queue/a"}', "is no queue"),
        ("purge", b'{"queue": "a", "force": true}', "`force`"),
        ("move", b'{"from": "a"}', "`to`"),
        ("move", b'{"from": "a", "to": "/queue/a"}', "the same queue"),
        ("move", b'{"from": "a", "to": "b", "most": 0}', "most"),
        ("move", b'{"from": "a", "to": "/queue/"}', "unknown destination"),
        ("disconnect", b"[]", "`array`"),
        ("statistics", b'{"queue": "/topic/"}', "is no queue"),
    ],
)
def test_a_request_that_is_wrong_is_answered_with_what_is_wrong(bus: Bus, what: str, body: bytes, reason: str) -> None:
    admin = bus.client()
    admin.put(f"/bus/{what}", body, reply_to="/temp-queue/r")
    told = json.loads(admin.take().body)
    assert list(told) == ["error"]
    assert reason in told["error"]
    assert not admin.finished


@pytest.mark.parametrize("what", ["statistics", "connections", "purge", "move", "disconnect"])
def test_a_request_needs_the_right_a_place_for_its_answer_and_no_transaction(bus: Bus, what: str) -> None:
    user, careless, transacting = bus.client(), bus.client(), bus.client()
    user.session.entry.rights = Rights(user="bob", send=("/queue/",))
    user.put(f"/bus/{what}", reply_to="/temp-queue/r")
    assert user.error() == f"the user 'bob' may not send to /bus/{what}"
    careless.put(f"/bus/{what}")
    assert careless.error() == f"a request to /bus/{what} needs a reply-to header"
    transacting.send("BEGIN", {"transaction": "t"})
    transacting.put(f"/bus/{what}", reply_to="/temp-queue/r", transaction="t")
    assert "transaction" in transacting.error()


def test_who_may_administer_reaches_only_the_queues_it_has_a_right_to(bus: Bus) -> None:
    fill(bus, 2)
    user = bus.client()
    user.session.entry.rights = Rights(user="bob", send=("/bus/", "/queue/b"), subscribe=("/queue/b",))
    assert ask(user, "purge", queue="a") == {"error": "the user 'bob' may not subscribe to /queue/a"}
    assert move(user, "a", "b") == {"error": "the user 'bob' may not subscribe to /queue/a"}
    assert move(user, "b", "a") == {"error": "the user 'bob' may not send to /queue/a"}
    assert len(taken(bus)) == 2


def test_an_answer_nobody_waits_for_is_dropped() -> None:
    store = HeldStore()
    bus = Bus(store=store)
    admin, other = bus.client(), bus.client()
    admin.put("/queue/a", b"x")
    store.commit()
    other.subscribe("/temp-queue/r")
    target = f"/reply-queue/{other.session.id}.r"
    admin.put("/bus/purge", b'{"queue": "a"}', reply_to=target)
    other.lose()
    store.commit()
    bus.settle()
    assert not admin.finished
    admin.put("/bus/purge", b'{"queue": "a"}', reply_to=target)
    assert "gone" in admin.error()
