"""How the bus is kept: its version, what it tells of its queues, how those were made, and who performs tasks."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from typing import Any, NamedTuple

from swarmage.bus.dialects.rabbitmq import RabbitMQDialect
from swarmage.client.doctor.bench import ANSWER, Bench
from swarmage.client.doctor.check import Check, error, ok, unknown, warning
from swarmage.client.figures.activemq import LIBRARIES, PLUGIN
from swarmage.client.status import drones_there, find_figures, listeners, told_figures
from swarmage.errors import BusError

_COLUMNS = "name,type,durable,auto_delete,arguments,effective_policy_definition"
_UNSEEN = "RabbitMQ tells it by its management API only: see figures"
_SHOWN = 3
"""Queues named in a finding; the others are counted."""
NO_LIMIT = "rabbitmqctl set_policy swarmage '^swarmage\\.(task|dead)' '{\"delivery-limit\": -1}' --apply-to queues"
_OWN_LIMIT = "rabbitmqctl list_policies    and take delivery-limit out of the one that sets it"
DAY_SECONDS = 24 * 3600.0
DEFAULT_LIMIT = 20
"""Deliveries after which RabbitMQ 4.0 and later drops a message of a quorum queue that nobody told otherwise."""


class _Known(NamedTuple):
    """What is known of a bus's versions: the first that will do, and those that are bad, from the first to the next."""

    first: tuple[int, ...]
    bad: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    why: str
    advice: str


_VERSIONS = {
    "RabbitMQ": _Known((3, 10), (((3,), (4,)),), "gets no fixes any more", "install a series that still gets fixes"),
    "ActiveMQ": _Known(
        (5, 17), (((5,), (5, 19, 4)), ((6,), (6, 2, 4))), "has known security holes", "install 5.19.4, 6.2.4 or later"
    ),
}


def version(bench: Bench) -> Check:
    """Compare the version that the bus says it has with those that are known."""
    there, seen = bench.version, bench.server
    if not there:
        return unknown(f"the bus calls itself {seen!r}, without a version", "docs/engines.md names the tested ones")
    if bench.bus.dialect.name == "embedded":
        ours = _installed()
        if ours and seen != f"swarmage/{ours}":
            return warning(f"{seen} is the bus, {ours} is installed here", "install the same version everywhere")
        return ok(seen)
    known = _VERSIONS[bench.bus.dialect.name]
    if there < known.first:
        first = ".".join(map(str, known.first))
        return error(f"{seen} is older than {first}, the first that swarmage works with", known.advice)
    if any(begin <= there < end for begin, end in known.bad):
        return warning(f"{seen} {known.why}", known.advice)
    return ok(seen)


def _installed() -> str:
    try:
        return importlib.metadata.version("swarmage")
    except importlib.metadata.PackageNotFoundError:
        return ""


def figures(bench: Bench) -> Check:
    """Ask for the figures that `swarmage status` shows."""
    try:
        told = find_figures(bench.bus, ANSWER, bench.clock)
    except BusError as failure:
        advice = {
            "RabbitMQ": bench.enable_management,
            "ActiveMQ": f"in activemq.xml: {PLUGIN}; and {LIBRARIES}",
        }
        return warning(f"`swarmage status` cannot show queues: {failure}", advice[bench.bus.dialect.name])
    waiting = sum(queue["waiting"] for queue in told["queues"])
    return ok(f"the bus tells of {len(told['queues'])} queues, in which {waiting} messages wait")


def queue_types(bench: Bench) -> Check:
    """Compare how RabbitMQ's queues were declared with how this URL would declare them."""
    dialect = bench.bus.dialect
    assert isinstance(dialect, RabbitMQDialect)
    try:
        queues = bench.management.queues(r"^swarmage\.(task|dead|state|reply)(\.|$)", _COLUMNS)
    except BusError:
        return unknown(_UNSEEN, bench.enable_management)
    wrong = [text for queue in queues for text in _differences(queue, dialect)]
    if wrong:
        return error(
            f"{len(wrong)} queues were declared otherwise, such as {'; '.join(wrong[:_SHOWN])}",
            "the same ?queues= in every SWARMAGE_URL, or, when `rabbitmqctl list_queues` shows that it is empty:"
            " rabbitmqctl delete_queue NAME",
        )
    return ok(f"{len(queues)} queues, all as this URL declares them")


def _differences(queue: dict[str, Any], dialect: RabbitMQDialect) -> Iterator[str]:
    name = str(queue.get("name"))
    wanted = dialect.arguments(f"/queue/{name}")
    present = {"x-queue-type": queue.get("type"), **(queue.get("arguments") or {})}
    expected = {key: value for key, value in wanted.items() if key.startswith("x-")}
    there = {key: str(value) for key, value in present.items() if key.startswith("x-")}
    if there != expected:
        yield f"{name} with {_words(there)}, not {_words(expected)}"
    elif not queue.get("durable") or queue.get("auto_delete"):
        yield f"{name}, which is not durable or deletes itself"


def _words(arguments: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(arguments.items()))


def delivery_limit(bench: Bench) -> Check:
    """See after how many deliveries RabbitMQ drops a message of a quorum queue."""
    if bench.bus.dialect.prioritises:
        return ok("classic queues have none")
    try:
        queues = bench.management.queues(r"^swarmage\.(task|dead)(\.|$)", _COLUMNS)
    except BusError:
        if bench.version < (4, 0):
            return ok("RabbitMQ has none of its own before 4.0")
        return unknown(_UNSEEN, NO_LIMIT)
    default = DEFAULT_LIMIT if bench.version >= (4, 0) else -1
    limits = {str(queue.get("name")): _limit(queue, default) for queue in queues}
    dropping = sorted(name for name, limit in limits.items() if limit >= 0)
    if dropping:
        return error(
            f"RabbitMQ drops a message of {dropping[0]} after {limits[dropping[0]]} deliveries ({len(dropping)} queues;"
            " each look at the dead letters is one)",
            NO_LIMIT if default >= 0 else _OWN_LIMIT,
        )
    if not queues and default >= 0:
        return warning(f"RabbitMQ drops a message after {default} deliveries unless a policy says otherwise", NO_LIMIT)
    return ok("no queue drops messages; drones count deliveries themselves")


def _limit(queue: dict[str, Any], default: int) -> int:
    places = (queue.get("effective_policy_definition") or {}), (queue.get("arguments") or {})
    found = [place[name] for place in places for name in ("delivery-limit", "x-delivery-limit") if name in place]
    return int(found[0]) if found else default


def consumer_timeout(bench: Bench) -> Check:
    """See for how long a drone may have a task before RabbitMQ ends its connection, where a policy says it."""
    conf = "in rabbitmq.conf: consumer_timeout = 86400000"
    look = "rabbitmqctl eval 'application:get_env(rabbit, consumer_timeout).'"
    try:
        queues = bench.management.queues(r"^swarmage\.task\.", _COLUMNS)
    except BusError:
        queues = []
    said = [(queue.get("effective_policy_definition") or {}).get("consumer-timeout") for queue in queues]
    if not said or None in said:
        return unknown("RabbitMQ tells nobody over STOMP or HTTP; its own half an hour is short", f"{conf}; see {look}")
    shortest = min(int(value) for value in said if value is not None) / 1000
    seen = f"a drone may have a task for {shortest:.0f} s, a policy says"
    return ok(seen) if shortest >= DAY_SECONDS else warning(seen, conf)


def drones(bench: Bench) -> Check:
    """Call the roll of the drones."""
    if bench.wire is None:
        return unknown("without a signing key drones cannot be asked", "see signing key")
    told = told_figures(bench.bus, ANSWER, bench.clock) if bench.bus.dialect.figures else {"topics": []}
    there = drones_there(bench.bus, bench.wire, told, ANSWER, bench.clock)
    workers = sum(len(drone.get("workers", ())) for drone in there)
    silent = listeners(told) - len(there)
    if silent > 0:
        return warning(
            f"{len(there)} drones answer, {silent} do not: busy beyond measure, or without our key",
            "swarmage keys show    on each machine: the key that signs must be accepted on all",
        )
    if not there:
        return warning("no drone answers: what is inserted waits", "swarmage drone TARGET")
    return ok(f"{len(there)} drones with {workers} workers answer")
