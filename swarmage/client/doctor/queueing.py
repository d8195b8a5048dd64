"""What the bus does with messages: whether it keeps, brings, shows and gives back as swarmage needs it."""

from __future__ import annotations

import secrets

from swarmage.bus import frames
from swarmage.bus.delivery import Delivery
from swarmage.bus.dialects import activemq, rabbitmq
from swarmage.client.doctor.bench import ANSWER, Bench
from swarmage.client.doctor.check import Check, error, ok, warning
from swarmage.errors import SwarmageError

SAMPLES = 20
SLOW_SECONDS = 0.1
STALLED_SECONDS = 0.035
"""What a round trip takes at least, on one machine, when TCP waits with small packets for an acknowledgement."""
LONG_QUEUE = 500
"""Messages: more than ActiveMQ shows when nobody has told it to show all."""
LOG = "ask the bus's own log; docs/engines.md says what it must be told"
_NO_DELAY = {
    "RabbitMQ": "in rabbitmq.conf: stomp.tcp_listen_options.nodelay = true",
    "ActiveMQ": "at the end of the STOMP connector's uri in activemq.xml: ?transport.tcpNoDelay=true",
}


def receipts(bench: Bench) -> Check:
    """Send messages that must be kept, and wait for the word that they are."""
    took = bench.median(lambda: bench.send(bench.message(b"receipt")), SAMPLES)
    bench.clear()
    seen = f"a message that must be kept is confirmed after {took * 1000:.1f} ms"
    if took > SLOW_SECONDS:
        return warning(seen, "a faster disk or a nearer bus: each insert waits as long")
    return ok(seen)


def round_trip(bench: Bench) -> Check:
    """Send, take and acknowledge one message after the other."""
    body = secrets.token_bytes(16)
    with bench.taking() as taking:

        def once() -> None:
            bench.send(bench.message(body))
            delivery = taking.find(body)
            if delivery is None:
                raise TimeoutError
            taking.ack(delivery)

        try:
            took = bench.median(once, SAMPLES)
        except TimeoutError:
            return error(f"a message that was confirmed was not brought within {ANSWER:.0f} s", LOG)
    seen = f"a message is confirmed, brought and acknowledged within {took * 1000:.1f} ms"
    advice = _NO_DELAY.get(bench.bus.dialect.name)
    if took > (STALLED_SECONDS if advice and bench.is_near else SLOW_SECONDS):
        return warning(seen, advice or "a nearer bus: each task waits as long")
    return ok(seen)


def largest(bench: Bench) -> Check:
    """Send and take the largest message that swarmage would send here."""
    size = rabbitmq.MOST_BYTES if bench.bus.dialect.name == "RabbitMQ" else activemq.MOST_BYTES
    body = secrets.token_bytes(size)
    advice = {"RabbitMQ": f"in rabbitmq.conf: stomp.max_frame_size = {4 * 1024 * 1024}"}.get(
        bench.bus.dialect.name, LOG
    )
    try:
        bench.send(bench.message(body))
    except SwarmageError as failure:
        return error(f"a message of {size} bytes is not taken: {failure}", advice)
    with bench.taking() as taking:
        delivery = taking.find(body, seconds=4 * ANSWER)
        if delivery is None:
            return error(f"a message of {size} bytes was taken and not brought", advice)
        taking.ack(delivery)
    return ok(f"a message of {size} bytes gets through")


def redelivery(bench: Bench) -> Check:
    """Take a message, lose the connection, and see whether it comes again and is said to."""
    body = secrets.token_bytes(16)
    bench.send(bench.message(body))
    with bench.taking(goodbye=False) as taking:
        if taking.find(body) is None:
            return error(f"a message that was confirmed was not brought within {ANSWER:.0f} s", LOG)
    with bench.taking() as taking:
        again = taking.find(body)
        if again is None:
            return error("a message that a lost connection had not acknowledged did not come again", LOG)
        taking.ack(again)
    if again.earlier == 0:
        return error(
            "a message that came again was not marked as redelivered: a task that kills its drone would do so for ever",
            LOG,
        )
    return ok("a message that a lost connection had not acknowledged comes again, and is marked")


def delivery_count(bench: Bench) -> Check:
    """Lose a message twice, and see how often it is said to have been delivered."""
    if not bench.bus.dialect.counts:
        return ok("this bus only says that a message was delivered before; drones count themselves")
    body = secrets.token_bytes(16)
    bench.send(bench.message(body))
    counts: list[int] = []
    for last in (False, False, True):
        with bench.taking(goodbye=last) as taking:
            delivery = taking.find(body)
            if delivery is None:
                return error(f"after {len(counts)} deliveries that were lost, a message did not come again", LOG)
            counts.append(delivery.earlier)
            if last:
                taking.ack(delivery)
    if counts != [0, 1, 2]:
        return error(
            f"a message that was lost twice counted {counts} earlier deliveries, not [0, 1, 2]: a task that kills its"
            " drone would do so for ever",
            "use a version that docs/engines.md names as tested",
        )
    return ok("lost deliveries are counted: 0, 1, 2")


def browse(bench: Bench) -> Check:
    """Look into the queue and see whether all is shown and nothing taken."""
    many = LONG_QUEUE if bench.bus.dialect.name == "ActiveMQ" else 2
    bodies = {b"%b %d" % (secrets.token_bytes(8).hex().encode(), number) for number in range(many)}
    bench.send(*(bench.message(body)._replace(persistent=False) for body in bodies))
    shown = set()
    with bench.looking() as looking:
        while (delivery := looking.next(ANSWER)) is not None and delivery.headers.get("browser") != "end":
            shown.add(delivery.body)
    if delivery is None:
        return error("the bus does not show a queue to its end: dead letters and orders cannot be looked at", LOG)
    missing = len(bodies - shown)
    with bench.taking(prefetch=many) as taking:
        while bodies and (taken := taking.find(*bodies)) is not None:
            bodies.discard(taken.body)
            taking.ack(taken)
    if bodies:
        return error(f"{len(bodies)} of {many} messages were gone after somebody had looked at them", LOG)
    if missing:
        return warning(
            f"of {many} messages in a queue only {many - missing} are shown",
            'in activemq.xml: <policyEntry queue="swarmage.>" prioritizedMessages="true" maxBrowsePageSize="100000"/>',
        )
    return ok(f"{many} messages are shown and stay where they are")


def transaction(bench: Bench) -> Check:
    """Send and acknowledge in a transaction, abort it, and do it again with a commit."""
    if not bench.bus.dialect.atomic:
        return ok("not used on this bus: an ack follows when all that a task sends is confirmed")
    old, new = secrets.token_bytes(16), secrets.token_bytes(16)
    bench.send(bench.message(old))
    with bench.taking(goodbye=False) as taking:
        if not _transact(bench, taking.find(old), new, "ABORT"):
            return error("a transaction was not confirmed", LOG)
    with bench.taking() as taking:
        if not _transact(bench, taking.find(old), new, "COMMIT"):
            return error("a message that was acknowledged in an aborted transaction did not come again", LOG)
        copies: list[bytes] = []
        while (delivery := taking.find(old, new, seconds=ANSWER if not copies else 0.2)) is not None:
            copies.append(delivery.body)
            taking.ack(delivery)
    if copies != [new]:
        return error(f"a transaction that was committed left {len(copies)} messages, not 1", LOG)
    return ok("SENDs and ACKs of a transaction take effect together, or not at all")


def _transact(bench: Bench, delivery: Delivery | None, body: bytes, end: str) -> bool:
    if delivery is None:
        return False
    connection = delivery.connection
    number, receipt = connection.receipts.expect()
    connection.write(
        frames.encode("BEGIN", {"transaction": "doctor"}),
        bench.bus.send_frame(bench.message(body), "doctor"),
        frames.ack(delivery.ack_id, "doctor"),
        frames.encode(end, {"transaction": "doctor", "receipt": number}),
    )
    return receipt.wait(ANSWER)
