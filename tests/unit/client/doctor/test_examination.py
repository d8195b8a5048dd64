"""A bus that does all it should, and what is left on it."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import pytest

from swarmage.bus.bus import Bus
from swarmage.client.client import Client
from swarmage.client.doctor import examination
from swarmage.client.doctor.bench import Bench
from swarmage.client.doctor.check import Check
from swarmage.client.doctor.examination import examine
from swarmage.errors import BusRefused, BusUnreachable
from swarmage.home import CA
from swarmage.settings import Address
from swarmage.testing.swarm import Swarm
from swarmage.wire.names import DOCTOR

from ...conftest import EmbeddedBus
from ..figures.web import Web


def test_our_own_bus_is_well_and_only_lacks_drones(embedded_bus: EmbeddedBus) -> None:
    found = {check.name: check for check in examine(embedded_bus.address)}
    assert list(found) == [name for name, _ in examination.PROBES]
    assert {name: check for name, check in found.items() if check.state != "ok"} == {
        "drones": Check("drones", "warning", "no drone answers: what is inserted waits", "swarmage drone TARGET")
    }
    assert "s3cret" not in str(found)
    with Client(embedded_bus.url) as client:
        assert [one for one in client.status()["queues"] if one["waiting"] and one["name"].startswith(DOCTOR)] == []


def only(monkeypatch: pytest.MonkeyPatch, wanted: set[str]) -> None:
    monkeypatch.setattr(examination, "PROBES", tuple(probe for probe in examination.PROBES if probe[0] in wanted))


def test_a_bus_in_this_process_can_be_examined_too(monkeypatch: pytest.MonkeyPatch, swarm: Swarm) -> None:
    wanted = {"heart-beats", "logins", "encryption", "redelivery", "transaction"}
    only(monkeypatch, wanted)
    assert {check.name: check.state for check in examine(swarm.client.address)} == dict.fromkeys(wanted, "ok")


def test_a_bus_under_tls_can_be_examined_too(
    monkeypatch: pytest.MonkeyPatch, encrypted_bus: EmbeddedBus, certified: Path
) -> None:
    monkeypatch.setenv("SWARMAGE_CA_FILE", str(certified / CA))
    wanted = {"encryption", "heart-beats", "logins", "largest message"}
    only(monkeypatch, wanted)
    found = {check.name: check for check in examine(encrypted_bus.address)}
    assert {name: check.state for name, check in found.items()} == dict.fromkeys(wanted, "ok")
    assert found["encryption"].seen.startswith("TLS")


def test_without_a_key_the_bus_is_examined_all_the_same(
    monkeypatch: pytest.MonkeyPatch, embedded_bus: EmbeddedBus, home: Path
) -> None:
    only(monkeypatch, {"signing key", "drones", "redelivery"})
    (home / "key").chmod(0o644)
    found = {check.name: check for check in examine(embedded_bus.address)}
    assert found["signing key"].state == "error"
    assert "chmod 600" in found["signing key"].seen
    assert found["drones"].state == "unknown"
    assert found["redelivery"].state == "ok"


def test_what_others_have_left_does_not_disturb_a_probe(bench: Bench) -> None:
    for name, probe in examination.PROBES:
        if probe.__module__.endswith(("queueing", "timing")):
            bench.send(bench.message(b"left"), bench.message(b"behind"))
            assert probe(bench).state == "ok", name


def test_where_no_bus_is_nothing_is_found(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(BusUnreachable):
            list(examine(Address(port=taken.getsockname()[1])))


def run(monkeypatch: pytest.MonkeyPatch, bench: Bench, error: Exception) -> Check:
    def fail(_: Bench) -> Check:
        bench.send(bench.message(b"left behind"))
        raise error

    monkeypatch.setattr(examination, "PROBES", (("failing", fail),))
    [check] = examine(bench.bus.address)
    return check


def test_what_a_probe_raises_is_a_finding(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    check = run(monkeypatch, bench, BusRefused("the bus has no time"))
    assert check == Check("failing", "error", "the bus has no time", check.advice)
    assert check.advice


def test_what_a_failed_probe_has_left_is_taken_away(bench: Bench) -> None:
    bench.send(bench.message(b"1"), bench.message(b"2"))
    bench.clear()
    with bench.taking() as taking:
        assert taking.next(0.1) is None


def test_when_the_bus_is_gone_the_examination_ends(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    with pytest.raises(BusUnreachable, match="gone"):
        run(monkeypatch, bench, BusUnreachable("gone"))


def test_rabbitmq_is_asked_more(monkeypatch: pytest.MonkeyPatch, embedded_bus: EmbeddedBus) -> None:
    monkeypatch.setattr(examination, "PROBES", ())
    names = {name for name, _ in examination.OF_RABBITMQ}
    with Web({"/api/queues": (200, json.dumps({"items": [], "page_count": 1}))}) as web:
        address = Address.parse(f"{embedded_bus.url}?dialect=rabbitmq&management={web.url}")
        assert {check.name for check in examine(address)} == names


def test_a_bus_is_left_when_nobody_wants_to_know_the_rest(embedded_bus: EmbeddedBus) -> None:
    checks = examine(embedded_bus.address)
    next(checks)
    checks.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "bus" and thread.is_alive()]
    bus = Bus(embedded_bus.address)
    bus.start(5.0)
    bus.stop()
