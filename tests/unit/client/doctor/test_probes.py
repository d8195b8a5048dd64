"""Each probe against a bus that does not do what it should; test_examination.py has the one that does."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from swarmage.bus import frames
from swarmage.bus.dialects.embedded import EmbeddedDialect
from swarmage.client.doctor import bench as bench_module
from swarmage.client.doctor import entrance, queueing, timing, upkeep
from swarmage.client.doctor.bench import Bench
from swarmage.clock import SYSTEM_CLOCK
from swarmage.errors import InsertTimeout
from swarmage.wire.message import Message

from ...bus.small_server import SmallServer
from ...conftest import EmbeddedBus
from ...fakes import SECONDS
from .conftest import Open


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for long for what will not come."""
    monkeypatch.setattr(bench_module.Taking.find, "__kwdefaults__", {"seconds": 1.0})
    for module in (queueing, timing):
        monkeypatch.setattr(module, "ANSWER", 1.0)


def sending(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Have the bus get every message without something it asks for."""
    send = EmbeddedDialect.send
    monkeypatch.setattr(
        EmbeddedDialect, "send", lambda self, message, now: send(self, message._replace(**changes), now)
    )


def test_a_delay_that_is_none_is_an_error(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    sending(monkeypatch, delay=0.0)
    found = timing.delay(bench)
    assert found.state == "error"
    assert "retries would not wait" in found.seen


def test_a_delay_that_does_not_end_is_an_error(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    sending(monkeypatch, delay=30.0)
    found = timing.delay(bench)
    assert (found.state, "had not come" in found.seen) == ("error", True)


def test_a_delay_that_is_late_is_a_warning(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    monkeypatch.setattr(timing, "DELAY", 0.2)
    monkeypatch.setattr(timing, "LATE", 0.1)
    sending(monkeypatch, delay=0.8)
    assert timing.delay(bench).state == "warning"


def test_what_expires_and_comes_is_a_warning(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    sending(monkeypatch, expires=None)
    found = timing.expiry(bench)
    assert (found.state, found.advice) == ("warning", timing.KEEP_TIME)


def test_what_expires_too_early_is_an_error(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    sending(monkeypatch, expires=0.1)
    assert timing.expiry(bench).state == "error"


def test_priorities_that_are_none_are_a_warning(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    sending(monkeypatch, priority=None)
    found = timing.priority(bench)
    assert found.state == "warning"
    assert 'prioritizedMessages="true"' in found.advice


def test_queues_without_priorities_are_fine(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    monkeypatch.setattr(EmbeddedDialect, "prioritises", False)
    assert timing.priority(bench).state == "ok"


def test_a_message_that_does_not_come_again_is_an_error(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    subscribe = EmbeddedDialect.subscribe
    monkeypatch.setattr(EmbeddedDialect, "subscribe", lambda *args, **more: {**subscribe(*args, **more), "ack": "auto"})
    found = queueing.redelivery(bench)
    assert (found.state, "did not come again" in found.seen) == ("error", True)


@pytest.mark.parametrize("probe", [queueing.redelivery, queueing.delivery_count])
def test_a_redelivery_that_is_not_counted_is_an_error(
    monkeypatch: pytest.MonkeyPatch, bench: Bench, probe: Any
) -> None:
    monkeypatch.setattr(EmbeddedDialect, "translate", lambda _, headers: headers.pop("delivery-count", None))
    found = probe(bench)
    assert found.state == "error"
    assert "for ever" in found.seen


def test_where_the_bus_counts_nothing_drones_do(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    monkeypatch.setattr(EmbeddedDialect, "counts", False)
    assert queueing.delivery_count(bench).state == "ok"


def test_a_look_that_takes_is_an_error(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    look = bench.looking
    taken: list[bool] = []

    def takes() -> Any:
        taken.append(True)
        bench.clear()
        return look()

    monkeypatch.setattr(bench, "looking", takes)
    found = queueing.browse(bench)
    assert taken
    assert (found.state, "were gone" in found.seen) == ("error", True)


def test_a_look_that_has_no_end_is_an_error(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    monkeypatch.setattr(bench, "looking", bench.taking)
    assert queueing.browse(bench).state == "error"


def test_a_look_that_shows_not_all_is_a_warning(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    find = bench_module.Taking.next
    hidden: list[bytes] = []

    def next_(self: Any, seconds: float) -> Any:
        delivery = find(self, seconds)
        if delivery is not None and not hidden:  # the first that the look shows
            hidden.append(delivery.body)
            return find(self, seconds)
        return delivery

    monkeypatch.setattr(bench_module.Taking, "next", next_)
    found = queueing.browse(bench)
    assert found.state == "warning"
    assert found.seen == "of 2 messages in a queue only 1 are shown"


def test_an_abort_that_commits_is_an_error(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    encode = frames.encode
    monkeypatch.setattr(frames, "encode", lambda command, *more: encode(command.replace("ABORT", "COMMIT"), *more))
    assert queueing.transaction(bench).state == "error"


def test_a_commit_that_aborts_is_an_error(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    encode = frames.encode
    monkeypatch.setattr(frames, "encode", lambda command, *more: encode(command.replace("COMMIT", "ABORT"), *more))
    assert queueing.transaction(bench).state == "error"


def test_a_large_message_that_is_refused_is_an_error(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    monkeypatch.setattr(queueing.activemq, "MOST_BYTES", queueing.activemq.MOST_BYTES + 1)
    found = queueing.largest(bench)
    assert found.state == "error"
    assert "4194305 bytes is not taken" in found.seen


def test_a_slow_bus_is_a_warning(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    monkeypatch.setattr(queueing, "SLOW_SECONDS", 0.0)
    assert queueing.receipts(bench).state == queueing.round_trip(bench).state == "warning"


def test_a_bus_that_brings_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    sending(monkeypatch, delay=30.0)
    for probe in (queueing.round_trip, queueing.redelivery, queueing.largest):
        assert probe(bench).state == "error"


@pytest.fixture
def silent(home: object) -> Iterator[SmallServer]:
    """A bus that logs everybody in and says nothing more."""
    server = SmallServer()

    def serve() -> None:
        for _ in range(2):
            server.accept().log_in()

    thread = threading.Thread(target=serve)
    thread.start()
    yield server
    thread.join(SECONDS)
    server.close()


def test_a_bus_without_signs_of_life_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, silent: SmallServer, open_bench: Open
) -> None:
    monkeypatch.setattr(timing, "BEAT_MS", 100)
    assert timing.heart_beats(open_bench(silent.address)).state == "warning"


@pytest.mark.parametrize(
    ("ahead", "state"), [(0.0, "ok"), (-1.5, "ok"), (5.0, "warning"), (-5.0, "warning"), (90.0, "error")]
)
def test_a_clock_that_is_off_is_told(monkeypatch: pytest.MonkeyPatch, bench: Bench, ahead: float, state: str) -> None:
    class Off:
        monotonic = staticmethod(SYSTEM_CLOCK.monotonic)

        def wall(self) -> float:
            return SYSTEM_CLOCK.wall() - ahead

    bench.clock = Off()
    found = timing.clock(bench)
    assert found.state == state
    if ahead:
        assert f"{abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} ours" in found.seen


def test_the_time_of_a_bus_that_does_not_tell_it_is_unknown(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    monkeypatch.setattr(timing, "bus_figures", lambda *_: {"bus": {}})
    assert timing.clock(bench).state == "unknown"


def test_a_guest_is_a_warning_and_everybody_is_an_error(home: object, open_bench: Open) -> None:
    bus = EmbeddedBus(others={"guest": "guest"})
    try:
        found = entrance.logins(open_bench(bus.address))
    finally:
        bus.stop()
    assert (found.state, "guest/guest" in found.seen) == ("warning", True)


def test_a_bus_that_lets_everybody_in_is_an_error(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    monkeypatch.setattr(entrance, "_lets_in", lambda *_: True)
    assert entrance.logins(bench).state == "error"


def test_plain_stomp_to_another_machine_is_a_warning(bench: Bench) -> None:
    here = bench.bus.address
    assert entrance.encryption(bench).state == "ok"
    bench.bus.address = replace(here, host="192.0.2.1")
    assert entrance.encryption(bench).state == "warning"
    bench.bus.address = replace(here, others=(("192.0.2.1", 1),))
    assert entrance.encryption(bench).state == "warning"
    bench.bus.address = replace(here, host="192.0.2.1", tls=True)
    assert entrance.encryption(bench).state == "ok"


def test_the_passcode_of_an_insert_that_is_not_confirmed_is_not_told(
    monkeypatch: pytest.MonkeyPatch, bench: Bench
) -> None:
    def fail(*_: Message) -> None:
        raise InsertTimeout(f"the bus at {bench.bus.address} did not confirm {secrets.token_hex(2)}")

    monkeypatch.setattr(bench, "send", fail)
    found = queueing.largest(bench)
    assert found.state == "error"
    assert "s3cret" not in found.seen


def test_drones_that_are_silent_are_told_apart_from_none(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    monkeypatch.setattr(upkeep, "listeners", lambda _: 2)
    found = upkeep.drones(bench)
    assert (found.state, found.seen[:18]) == ("warning", "0 drones answer, 2")
    monkeypatch.setattr(upkeep, "drones_there", lambda *_: [{"workers": [1]}, {"workers": [1, 2]}])
    assert upkeep.drones(bench).seen == "2 drones with 3 workers answer"
