from __future__ import annotations

import pytest

from tests.unit.broker.driver import Bus, HeldStore

from .talk import take_all


@pytest.mark.parametrize("command", ["BEGIN", "COMMIT", "ABORT"])
@pytest.mark.parametrize("headers", [{}, {"transaction": ""}, {"id": "t"}])
def test_a_transaction_has_a_name(bus: Bus, command: str, headers: dict[str, str]) -> None:
    """STOMP 1.2, "BEGIN" and "COMMIT"; checklist 39, 40."""
    client = bus.client()
    client.send(command, headers)
    assert client.error() == f"{command} needs a transaction header"


def test_open_transactions_of_a_connection_have_different_names(bus: Bus) -> None:
    """STOMP 1.2, "BEGIN"; checklist 39."""
    client, other = bus.client(), bus.client()
    client.send("BEGIN", {"transaction": "1"})
    client.send("BEGIN", {"transaction": "2"})
    other.send("BEGIN", {"transaction": "1"})
    assert not other.finished
    client.send("COMMIT", {"transaction": "1"})
    client.send("BEGIN", {"transaction": "1"})
    assert not client.finished
    client.send("BEGIN", {"transaction": "2"})
    assert "open already" in client.error()


@pytest.mark.parametrize("command", ["COMMIT", "ABORT"])
def test_only_a_started_transaction_can_be_ended_and_once(bus: Bus, command: str) -> None:
    """STOMP 1.2, "COMMIT"; checklist 40."""
    client = bus.client()
    client.send("BEGIN", {"transaction": "t"})
    client.send(command, {"transaction": "t"})
    assert not client.finished
    client.send(command, {"transaction": "t"})
    assert "no transaction" in client.error()


@pytest.mark.parametrize("command", ["SEND", "ACK", "NACK"])
def test_only_a_started_transaction_can_be_joined(bus: Bus, command: str) -> None:
    """STOMP 1.2, "BEGIN"; checklist 41."""
    client = bus.client()
    client.subscribe("/queue/a", ack="client")
    client.put("/queue/a", b"x")
    message = client.take()
    client.send(command, {"destination": "/queue/a", "id": message.headers["ack"], "transaction": "t"})
    assert "no transaction" in client.error()


def test_nothing_of_a_transaction_happens_before_commit_and_all_of_it_then(bus: Bus) -> None:
    """STOMP 1.2, "BEGIN"; checklist 41."""
    client, other = bus.client(), bus.client()
    client.subscribe("/queue/a", ack="client-individual")
    for body in (b"1", b"2"):
        client.put("/queue/a", body)
    one, two = client.take(), client.take()
    other.subscribe("/queue/b")
    client.send("BEGIN", {"transaction": "t"})
    client.put("/queue/b", b"x", transaction="t")
    client.ack(one, transaction="t")
    client.nack(two, transaction="t", requeue="false")
    client.put("/queue/b", b"y", transaction="t")
    assert other.frames == client.frames == []
    client.send("COMMIT", {"transaction": "t"})
    assert other.bodies() == [b"x", b"y"]
    client.lose()
    assert take_all(bus, "/queue/a") == []
    assert take_all(bus, "/queue/DLQ.a") == [b"2"]


def test_an_aborted_transaction_never_happened(bus: Bus) -> None:
    """STOMP 1.2, "BEGIN"; checklist 41."""
    client = bus.client()
    client.subscribe("/queue/a", ack="client-individual")
    client.put("/queue/a", b"1")
    message = client.take()
    client.send("BEGIN", {"transaction": "t"})
    client.put("/queue/b", b"x", transaction="t")
    client.ack(message, transaction="t")
    client.send("ABORT", {"transaction": "t"})
    client.ack(message)
    assert client.frames == []
    assert take_all(bus, "/queue/b") == []


def test_a_commit_with_one_wrong_step_does_nothing(bus: Bus) -> None:
    """STOMP 1.2, "BEGIN"; checklist 41."""
    client = bus.client()
    client.subscribe("/queue/a", ack="client-individual")
    client.put("/queue/a", b"1")
    message = client.take()
    client.send("BEGIN", {"transaction": "t"})
    client.put("/queue/b", b"x", transaction="t")
    client.ack(message, transaction="t")
    client.ack(message)
    client.send("COMMIT", {"transaction": "t"})
    assert client.error()
    assert take_all(bus, "/queue/b") == []


def test_a_transaction_reaches_the_disk_as_one(bus: Bus) -> None:
    """STOMP 1.2, "BEGIN"; checklist 41."""
    store = HeldStore()
    bus = Bus(store=store)
    client = bus.client()
    client.send("BEGIN", {"transaction": "t"})
    for body in (b"1", b"2", b"3"):
        client.put("/queue/a", body, transaction="t")
    assert store.held == []
    client.send("COMMIT", {"transaction": "t", "receipt": "r"})
    assert [len(batch.inserts) for batch, _ in store.held] == [3]
    assert client.frames == []
    store.commit()
    bus.settle()
    client.take("RECEIPT")


@pytest.mark.parametrize("end", ["DISCONNECT", "lost", "ERROR"])
def test_an_open_transaction_is_aborted_when_its_client_goes(bus: Bus, end: str) -> None:
    """STOMP 1.2, "BEGIN"; checklist 42."""
    client = bus.client()
    client.subscribe("/queue/a", ack="client")
    client.put("/queue/a", b"1")
    message = client.take()
    client.send("BEGIN", {"transaction": "t"})
    client.put("/queue/b", b"x", transaction="t")
    client.ack(message, transaction="t")
    if end == "lost":
        client.lose()
    else:
        client.send("DISCONNECT" if end == "DISCONNECT" else "HELLO")
    assert take_all(bus, "/queue/a") == [b"1"]
    assert take_all(bus, "/queue/b") == []
