from __future__ import annotations

import pytest

from swarmage.broker.limits import Limits

from ..driver import Bus, Client, HeldStore
from .test_acks import filled, stored


def begin(client: Client, name: str = "t") -> None:
    client.send("BEGIN", {"transaction": name})


def test_nothing_of_a_transaction_happens_before_commit(bus: Bus) -> None:
    client = filled(bus, 1)
    begin(client)
    client.ack(client.take(), transaction="t")
    client.put("/queue/b", b"reply", transaction="t")
    assert stored(bus) == [b"0"]
    client.send("COMMIT", {"transaction": "t", "receipt": "done"})
    assert client.take("RECEIPT").headers["receipt-id"] == "done"
    assert stored(bus) == [b"reply"]
    client.subscribe("/queue/b", "2")
    frame = client.take()
    assert frame.body == b"reply"
    assert "transaction" not in frame.headers


def test_a_commit_is_one_transaction_of_the_store() -> None:
    store = HeldStore()
    bus = Bus(store=store)
    client = bus.client()
    client.put("/queue/a", b"task")
    store.commit()
    client.subscribe("/queue/a", ack="client")
    begin(client)
    client.put("/queue/b", b"1", transaction="t")
    client.put("/queue/b", b"2", transaction="t")
    client.ack(client.take(), transaction="t")
    assert store.held == []
    client.send("COMMIT", {"transaction": "t"})
    [(batch, _)] = store.held
    assert (len(batch.inserts), len(batch.deletes)) == (2, 1)


def test_abort_leaves_messages_unacknowledged_with_valid_ids(bus: Bus) -> None:
    client = filled(bus, 1)
    frame = client.take()
    begin(client)
    client.ack(frame, transaction="t")
    client.put("/queue/b", b"never", transaction="t")
    client.send("ABORT", {"transaction": "t"})
    assert client.frames == []
    assert stored(bus) == [b"0"]
    client.ack(frame)
    assert stored(bus) == []


@pytest.mark.parametrize("graceful", [True, False])
def test_the_end_of_a_connection_aborts(bus: Bus, graceful: bool) -> None:
    client = filled(bus, 1)
    begin(client)
    client.ack(client.take(), transaction="t")
    client.put("/queue/b", b"never", transaction="t")
    if graceful:
        client.send("DISCONNECT")
    else:
        client.lose()
    assert stored(bus) == [b"0"]
    assert filled(bus, 0).take().body == b"0"


def test_a_transaction_that_settles_twice_does_nothing_at_all(bus: Bus) -> None:
    client = filled(bus, 1)
    frame = client.take()
    begin(client)
    client.put("/queue/b", b"never", transaction="t")
    client.ack(frame, transaction="t")
    client.ack(frame, transaction="t")
    client.send("COMMIT", {"transaction": "t"})
    assert "twice" in client.error()
    assert stored(bus) == [b"0"]


def test_a_transaction_with_a_reply_to_somebody_who_left_does_nothing_at_all(bus: Bus) -> None:
    asker, client = bus.client(), filled(bus, 1)
    asker.put("/queue/a", b"ask", reply_to="/temp-queue/r")
    client.take()
    request = client.take()
    begin(client)
    client.ack(request, transaction="t")
    client.put(request.headers["reply-to"], b"answer", transaction="t")
    asker.lose()
    client.send("COMMIT", {"transaction": "t"})
    assert "gone" in client.error()
    assert stored(bus) == [b"0", b"ask"]


def test_a_cumulative_ack_and_a_nack_work_inside_a_transaction(bus: Bus) -> None:
    client = bus.client()
    for n in range(3):
        client.put("/queue/a", b"%d" % n)
    client.subscribe("/queue/a", ack="client")
    _, second, third = client.take(), client.take(), client.take()
    begin(client)
    client.ack(second, transaction="t")
    client.nack(third, transaction="t")
    client.send("COMMIT", {"transaction": "t"})
    assert client.take().headers["delivery-count"] == "1"
    assert stored(bus) == [b"2"]


def test_transactions_have_distinct_names_and_exist(bus: Bus) -> None:
    client = bus.client()
    begin(client, "a")
    begin(client, "b")
    begin(client, "a")
    assert "open already" in client.error()


@pytest.mark.parametrize("command", ["COMMIT", "ABORT", "BEGIN"])
def test_a_transaction_needs_a_name(bus: Bus, command: str) -> None:
    client = bus.client()
    client.send(command)
    assert "needs a transaction" in client.error()


@pytest.mark.parametrize("command", ["COMMIT", "ABORT", "SEND"])
def test_an_unknown_transaction_is_an_error(bus: Bus, command: str) -> None:
    client = bus.client()
    client.send(command, {"transaction": "x", "destination": "/queue/a"})
    assert "no transaction" in client.error()


def test_what_transactions_hold_back_is_limited() -> None:
    bus = Bus(limits=Limits(transaction_bytes=1_000, transactions=2))
    client = bus.client()
    begin(client)
    client.put("/queue/a", b"x" * 900, transaction="t")
    assert "1000 bytes" in client.error()
    other = bus.client()
    for name in "abc":
        begin(other, name)
    assert "more than 2" in other.error()


@pytest.mark.parametrize("own", ["/temp-queue/mine", "/topic/news"])
def test_a_commit_that_ends_its_own_sender_as_too_slow_is_still_done_as_a_whole(own: str) -> None:
    bus = Bus(limits=Limits(private_backlog=3))
    client = filled(bus, 1)
    frame = client.take()
    client.subscribe(own, "own", ack="client-individual", prefetch_count=1)
    begin(client)
    for _ in range(6):
        client.put(own, b"x", transaction="t")
    client.put("/queue/b", b"result", transaction="t")
    client.ack(frame, transaction="t")
    client.send("COMMIT", {"transaction": "t"})
    assert client.frames[-1].headers["message"].startswith("you are too slow")
    assert stored(bus) == [b"result"]
