from __future__ import annotations

import random
from typing import Any

import pytest

from swarmage.errors import BadSignature, Unreadable
from swarmage.wire import names
from swarmage.wire.envelope import Wire
from swarmage.wire.orders import MOST_CANCELLED, MOST_NAMES, Orders, merge, read_orders, write_orders

from ..fakes import KEY, OTHER_KEY, FakeClock
from ..seeds import SEED

NOW = 1_700_000_000.0


def test_the_newest_entry_counts_wherever_it_stands() -> None:
    old, new = Orders(paused={"a": (True, 1.0)}), Orders(paused={"a": (False, 2.0)})
    assert merge([old, new], NOW) == merge([new, old], NOW) == new


def test_parts_make_the_same_orders_in_every_order_and_number() -> None:
    rng = random.Random(SEED)
    parts = [
        Orders(
            paused={rng.choice("abc"): (rng.random() < 0.5, rng.randrange(5))},
            concurrency={rng.choice("AB"): (rng.choice([None, 1, 2]), rng.randrange(5))},
            cancelled={rng.choice("xyz"): (NOW + 1, rng.randrange(5))},
        )
        for _ in range(30)
    ]
    whole = merge(parts, NOW)
    for _ in range(20):
        rng.shuffle(parts)
        cut = rng.randrange(len(parts))
        assert merge([merge(parts[:cut], NOW), merge(parts[cut:], NOW), *parts[:5]], NOW) == whole


def test_a_cancellation_ends_and_the_oldest_go_first(caplog: pytest.LogCaptureFixture) -> None:
    assert merge([Orders(cancelled={"a": (NOW, 1.0), "b": (NOW + 1, 1.0)})], NOW).cancelled.keys() == {"b"}
    many = Orders(cancelled={str(number): (NOW + 1, float(number)) for number in range(MOST_CANCELLED + 2)})
    kept = merge([many], NOW).cancelled
    assert len(kept) == MOST_CANCELLED
    assert not {"0", "1"} & kept.keys()
    assert f"of {MOST_CANCELLED + 2} cancelled tasks in the standing orders the newest {MOST_CANCELLED}" in caplog.text


def test_names_are_bounded_too() -> None:
    many = Orders(paused={str(number): (True, float(number)) for number in range(MOST_NAMES + 1)})
    assert "0" not in merge([many], NOW).paused


def test_what_is_written_is_read_and_outlives_the_bus(clock: FakeClock) -> None:
    wire = Wire(KEY, clock)
    orders = Orders(
        paused={"a": (True, 1.5)}, concurrency={"A": (None, 2.0), "B": (3, 2.5)}, cancelled={"x": (9.0, 3.0)}
    )
    message = write_orders(wire, orders)
    assert (message.destination, message.persistent) == (names.STATE, True)
    assert read_orders(wire, message.body, message.signature) == orders
    assert orders.newest == 3.0
    with pytest.raises(BadSignature):
        read_orders(Wire(OTHER_KEY, clock), message.body, message.signature)


@pytest.mark.parametrize("note", [None, [], {"paused": {"a": True}}, {"paused": {"a": ["yes", 1.0]}}, {"cancelled": 3}])
def test_what_is_no_order_is_refused(clock: FakeClock, note: Any) -> None:
    wire = Wire(KEY, clock)
    message = wire.note(names.STATE, note)
    with pytest.raises(Unreadable):
        read_orders(wire, message.body, message.signature)
