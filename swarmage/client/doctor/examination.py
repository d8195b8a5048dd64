"""All probes, one after the other.

From: your program, `swarmage doctor`.  To: entrance, queueing, timing, upkeep, which ask the bus.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from swarmage.bus.bus import Bus
from swarmage.client.connecting import CONNECT_TIMEOUT
from swarmage.client.doctor import entrance, queueing, timing, upkeep
from swarmage.client.doctor.bench import Bench
from swarmage.client.doctor.check import Check, error
from swarmage.clock import SYSTEM_CLOCK, Clock
from swarmage.errors import BusUnreachable, ConfigError, SwarmageError
from swarmage.keyring import load_ring
from swarmage.settings import Address
from swarmage.wire.envelope import Wire

Probe = Callable[[Bench], Check]

PROBES: tuple[tuple[str, Probe], ...] = (
    ("connect", entrance.connect),
    ("version", upkeep.version),
    ("encryption", entrance.encryption),
    ("logins", entrance.logins),
    ("signing key", entrance.signing_key),
    ("clock", timing.clock),
    ("heart-beats", timing.heart_beats),
    ("receipts", queueing.receipts),
    ("round trip", queueing.round_trip),
    ("largest message", queueing.largest),
    ("redelivery", queueing.redelivery),
    ("delivery count", queueing.delivery_count),
    ("delay", timing.delay),
    ("expiry", timing.expiry),
    ("priority", timing.priority),
    ("browse", queueing.browse),
    ("transaction", queueing.transaction),
    ("figures", upkeep.figures),
    ("drones", upkeep.drones),
)
OF_RABBITMQ: tuple[tuple[str, Probe], ...] = (
    ("queue types", upkeep.queue_types),
    ("delivery limit", upkeep.delivery_limit),
    ("consumer timeout", upkeep.consumer_timeout),
)


def examine(address: Address, clock: Clock = SYSTEM_CLOCK) -> Iterator[Check]:
    """Connect to a bus, try what it does, and yield what was found as it is found.

    Nothing of the swarm is touched: all is tried in a queue of the doctor's own, which is empty afterwards.

    Args:
        address: where the bus is.
        clock: measures.

    Raises:
        BusError: nobody can connect there, or not any more.
    """
    bus = Bus(address, clock=clock)
    began = clock.monotonic()
    bus.start(CONNECT_TIMEOUT)
    try:
        bench = Bench(bus, clock, _wire(clock), clock.monotonic() - began)
        probes = PROBES + (OF_RABBITMQ if bus.dialect.name == "RabbitMQ" else ())
        for name, probe in probes:
            yield _run(bench, probe)._replace(name=name)
    finally:
        bus.stop()


def _run(bench: Bench, probe: Probe) -> Check:
    """Run one probe; what it cannot do is a finding, and what it has left behind is taken away.

    Raises:
        BusUnreachable: the bus is gone.
    """
    try:
        found = probe(bench)
    except BusUnreachable:  # so there is nothing left to examine
        raise
    except SwarmageError as failure:
        found = error(str(failure), queueing.LOG)
    if found.state == "error":
        try:
            bench.clear()
        except SwarmageError:  # it expires by itself
            return found
    return found


def _wire(clock: Clock) -> Wire | None:
    try:
        return Wire(load_ring(), clock)
    except ConfigError:  # a finding of its own
        return None
