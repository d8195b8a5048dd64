from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from swarmage.bus.bus import Bus
from swarmage.client.doctor.bench import Bench
from swarmage.clock import SYSTEM_CLOCK
from swarmage.keyring import load_ring
from swarmage.settings import Address
from swarmage.wire.envelope import Wire

from ...conftest import EmbeddedBus
from ...fakes import SECONDS

Open = Callable[[Address], Bench]


@pytest.fixture
def open_bench(home: object) -> Iterator[Open]:
    """Return what connects a bench to a bus; it is left with the test."""
    with ExitStack() as stack:

        def open_(address: Address) -> Bench:
            bus = Bus(address)
            bus.start(SECONDS)
            stack.callback(bus.stop)
            return Bench(bus, SYSTEM_CLOCK, Wire(load_ring(), SYSTEM_CLOCK), 0.0)

        yield open_


@pytest.fixture
def bench(embedded_bus: EmbeddedBus, open_bench: Open) -> Bench:
    return open_bench(embedded_bus.address)
