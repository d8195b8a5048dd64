"""Who gets a place when there are not enough."""

from __future__ import annotations

import logging

import pytest

from swarmage.broker.limits import Limits

from ..driver import Bus, Client


def log_in(client: Client) -> Client:
    client.send("CONNECT", {"accept-version": "1.2"})
    client.take("CONNECTED")
    return client


@pytest.fixture
def bus() -> Bus:
    return Bus(limits=Limits(connections=5, connections_per_address=3))


def test_one_address_gets_only_so_many_places(bus: Bus) -> None:
    here = [log_in(Client(bus, f"192.0.2.1:{port}")) for port in range(3)]
    late = Client(bus, "192.0.2.1:9")
    bus.settle()
    assert late.error() == "your address has 3 connections already"
    log_in(Client(bus, "192.0.2.2:9"))
    here[0].lose()
    log_in(Client(bus, "192.0.2.1:10"))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "127.8.8.8", "::ffff:127.0.0.1"])
def test_this_machine_may_have_all_places(bus: Bus, host: str) -> None:
    for port in range(5):
        log_in(Client(bus, f"{host}:{port}"))
    late = Client(bus, f"{host}:9")
    bus.settle()
    assert late.error() == "the bus has 5 connections already"


def test_the_addresses_of_one_network_are_one(bus: Bus) -> None:
    for number in range(3):
        log_in(Client(bus, f"2001:db8::{number}:5"))
    late = Client(bus, "2001:db8::ffff:5")
    bus.settle()
    assert "your address" in late.error()
    log_in(Client(bus, "2001:db8:0:1::1:5"))


def test_a_client_that_logs_in_comes_through_a_flood_of_connections_that_do_not(bus: Bus) -> None:
    honest = []
    for number in range(40):
        Client(bus, f"127.0.0.1:{number}")
        bus.settle()
        if number % 10 == 0:
            honest.append(log_in(Client(bus, "127.0.0.1:9")))
    assert len(bus.hub.sessions) == 5
    assert not any(client.finished for client in honest)


def test_the_oldest_that_has_not_logged_in_makes_room(bus: Bus) -> None:
    strangers = [Client(bus, f"127.0.0.1:{number}") for number in range(5)]
    log_in(strangers[0])
    new = Client(bus, "127.0.0.1:7")
    bus.settle()
    assert [client.finished for client in strangers] == [False, True, False, False, False]
    assert strangers[1].error() == "all connections are taken, and this one had not logged in yet"
    log_in(new)


def test_strangers_of_one_address_make_room_for_that_address(bus: Bus) -> None:
    other = Client(bus, "192.0.2.2:1")
    strangers = [Client(bus, f"192.0.2.1:{number}") for number in range(3)]
    log_in(Client(bus, "192.0.2.1:7"))
    assert not other.finished
    assert [client.finished for client in strangers] == [True, False, False]


def test_places_are_free_again_whatever_ended_the_connection(bus: Bus) -> None:
    for number in range(60):
        client = Client(bus, "192.0.2.1:1")
        if number % 4 == 0:
            client.send("NONSENSE")
        elif number % 4 == 1:
            client.lose()
        elif number % 4 == 2:
            log_in(client).send("DISCONNECT")
        else:
            log_in(client).lose()
    assert not bus.hub.sessions
    assert not bus.hub.crowd._here
    assert not bus.hub.crowd._strangers
    assert not bus.hub.crowd._networks


def test_a_connection_that_cannot_be_written_to_ends_alone(
    bus: Bus, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken, well = log_in(Client(bus)), log_in(Client(bus))
    broken.subscribe("/queue/a", ack="client")
    broken.subscribe("/topic/t", "2")
    well.subscribe("/topic/t")

    def fail(*_: object) -> None:
        raise RuntimeError("no such pipe")

    for name in ("write", "finish", "abort"):
        monkeypatch.setattr(broken, name, fail)
    with caplog.at_level(logging.ERROR, "swarmage.bus"):
        well.put("/topic/t", b"hello")
        well.put("/queue/a", b"task")
    assert well.take().body == b"hello"
    assert [record.exc_text is None for record in caplog.records] == [False]
    assert "cannot be written to" in caplog.text
    well.subscribe("/queue/a", "2")
    assert well.take().body == b"task"
    assert broken.session.id not in bus.hub.sessions
