"""What the bus does by the clock, and in which order: delay, expiry, priority, heart-beats, and its clock itself."""

from __future__ import annotations

import secrets

from swarmage.bus.connection import Connection
from swarmage.client.doctor.bench import ANSWER, Bench
from swarmage.client.doctor.check import Check, error, ok, unknown, warning
from swarmage.client.doctor.queueing import LOG
from swarmage.client.figures.management import Skew
from swarmage.client.status import bus_figures
from swarmage.errors import BusError

DELAY = 1.0
EARLY = 0.02
"""Seconds by which a clock may be read wrongly."""
LATE = 1.0
"""Seconds beyond the tenth that a delay may be late anywhere; ActiveMQ looks twice a second."""
EXPIRY = 0.4
BEAT_MS = 1000
BEATS = 5
"""How many signs of life are waited for in vain."""
SKEW_WARNING = 2.0
SKEW_ERROR = 60.0
"""Seconds: a drone takes no order that is older than that by its own clock."""
KEEP_TIME = "timedatectl set-ntp true    on each machine"
_POLICY = 'in activemq.xml: <policyEntry queue="swarmage.>" prioritizedMessages="true" maxBrowsePageSize="100000"/>'


def delay(bench: Bench) -> Check:
    """Send a message with a delay, and see when it comes."""
    body = secrets.token_bytes(16)
    with bench.taking() as taking:
        began = bench.clock.monotonic()
        bench.send(bench.message(body, delay=DELAY))
        delivery = taking.find(body, seconds=DELAY + ANSWER)
        took = bench.clock.monotonic() - began
        if delivery is not None:
            taking.ack(delivery)
    advice = {"ActiveMQ": 'in activemq.xml: <broker … schedulerSupport="true">'}.get(bench.bus.dialect.name, LOG)
    if delivery is None:
        return error(f"a message with a delay of {DELAY} s had not come after {took:.1f} s", advice)
    if took < DELAY - EARLY:
        return error(f"a message with a delay of {DELAY} s came after {took:.2f} s: retries would not wait", advice)
    seen = f"a message with a delay of {DELAY} s comes after {took:.2f} s"
    return ok(seen) if took <= DELAY * 1.1 + LATE else warning(seen, LOG)


def expiry(bench: Bench) -> Check:
    """Send a message that expires at once and one that does not, and see which of them comes later."""
    gone, kept = secrets.token_bytes(16), secrets.token_bytes(16)
    bench.send(bench.message(gone, expires=EXPIRY)._replace(persistent=False))  # else ActiveMQ keeps it as a dead one
    bench.send(bench.message(kept, expires=SKEW_ERROR)._replace(persistent=False))
    bench.bus.pause(2 * EXPIRY)
    came = set()
    with bench.taking() as taking:
        while kept not in came and (delivery := taking.find(gone, kept)) is not None:
            came.add(delivery.body)
            taking.ack(delivery)
    if kept not in came:
        return error(f"a message that may wait for {SKEW_ERROR:.0f} s was gone after {2 * EXPIRY} s", KEEP_TIME)
    if gone in came:
        return warning(f"a message that had expired {EXPIRY} s before was brought", KEEP_TIME)
    return ok("what has expired is not brought, what has not is")


def priority(bench: Bench) -> Check:
    """Send three messages, the last of them with a high priority, and see which one comes first."""
    if not bench.bus.dialect.prioritises:
        return ok("not offered: quorum queues know no priorities, ?queues=classic in the URL does")
    low, high = secrets.token_bytes(16), secrets.token_bytes(16)
    bench.send(*(bench.message(body, priority=value) for body, value in ((low, 1), (low, 1), (high, 9))))
    order: list[bytes] = []
    with bench.taking() as taking:
        while len(order) < 3 and (delivery := taking.find(low, high)) is not None:
            order.append(delivery.body)
            taking.ack(delivery)
    if sorted(order) != sorted([low, low, high]):
        return error(f"of three messages with priorities {len(order)} came", LOG)
    if order[0] != high:
        return warning("a message of high priority came after those of low priority that were there before", _POLICY)
    return ok("what has a high priority comes first")


def heart_beats(bench: Bench) -> Check:
    """Listen on a connection on which nothing happens."""
    if bench.bus.address.memory:
        return ok("not needed inside one process")
    listening = _Listening(bench)
    try:
        listening.open(ANSWER)
        heard = listening.heard
        deadline = bench.clock.monotonic() + BEATS * BEAT_MS / 1000
        while listening.heard == heard and bench.clock.monotonic() < deadline and not listening.lost:
            bench.bus.pause(BEAT_MS / 4000)
            listening.tick()
        if listening.heard > heard:
            return ok("the bus gives signs of life while nothing happens")
    finally:
        listening.close()
    return warning(
        f"the bus gave no sign of life for {BEATS * BEAT_MS / 1000:.0f} s, though asked for one each second: a machine"
        " that is gone is noticed late, by a write that fails",
        LOG,
    )


class _Listening(Connection):
    """A connection that counts what it hears, and asks for signs of life more often than others do."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench.bus.address.machine(0), bench.clock, lambda _, __: None, lambda _: None)
        self.heard = 0

    def _login(self) -> dict[str, str]:
        return super()._login() | {"heart-beat": f"{BEAT_MS},{BEAT_MS}"}

    def _beat(self) -> None:
        super()._beat()
        self.heard += 1


def clock(bench: Bench) -> Check:
    """Compare the bus's clock with ours."""
    try:
        skew = _skew(bench)
    except BusError:
        return unknown("RabbitMQ tells its time by its management API only: see figures", bench.enable_management)
    if skew is None:
        return unknown("the bus does not tell its time", KEEP_TIME)
    seen = (
        f"its clock is {abs(skew.ahead):.1f} s {'ahead of' if skew.ahead > 0 else 'behind'} ours, ±{skew.doubt:.1f} s"
    )
    off = abs(skew.ahead) - skew.doubt
    if off > SKEW_ERROR:
        return error(f"{seen}: orders, deadlines and expiry cannot be kept", KEEP_TIME)
    return warning(f"{seen}: deadlines and expiry are off by as much", KEEP_TIME) if off > SKEW_WARNING else ok(seen)


def _skew(bench: Bench) -> Skew | None:
    match bench.bus.dialect.name:
        case "RabbitMQ":
            bench.management.get("overview", columns="node")
            return bench.management.skew
        case "ActiveMQ":
            return _skew_of_a_message(bench)
    began = bench.clock.monotonic()
    told = bus_figures(bench.bus, ANSWER, bench.clock)["bus"].get("time")
    took = bench.clock.monotonic() - began
    return Skew(told - (bench.clock.wall() - took / 2), took / 2) if isinstance(told, float) else None


def _skew_of_a_message(bench: Bench) -> Skew | None:
    body = secrets.token_bytes(16)
    began = bench.clock.monotonic()
    bench.send(bench.message(body))
    took = bench.clock.monotonic() - began
    sent = bench.clock.wall() - took / 2
    with bench.taking() as taking:
        delivery = taking.find(body)
        if delivery is None:
            return None
        taking.ack(delivery)
    told = delivery.headers.get("timestamp", "")
    return Skew(int(told) / 1000 - sent, took / 2 + 0.001) if told.isdecimal() and int(told) else None
