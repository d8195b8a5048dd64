"""The figures of ActiveMQ's queues, under the names they have on our own bus.

From: the bus.  To: client.

Its statistics plugin answers with maps, which it writes as JSON only where XStream and Jettison are on its class path;
where they are not it ends the connection, so that a connection of its own asks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from swarmage.bus import frames
from swarmage.bus.bus import Bus
from swarmage.client.asking import Asking
from swarmage.clock import Clock
from swarmage.errors import BusRefused
from swarmage.wire.names import DEAD, NAMESPACE

STATISTICS = "/queue/ActiveMQ.Statistics."
_QUEUES = (f"Destination.{NAMESPACE}.task.>", f"Destination.{DEAD.removeprefix('/queue/')}")
PLUGIN = "<plugins><statisticsBrokerPlugin/></plugins>"
LIBRARIES = (
    "apt-get install libxstream-java libjettison-java && ln -s /usr/share/java/xstream.jar"
    " /usr/share/java/jettison.jar /usr/share/activemq/lib/optional/"
)
ANSWER = 5.0
"""Seconds: it answers within milliseconds, but the first time it must load its libraries."""


def activemq_figures(bus: Bus, timeout: float, clock: Clock) -> dict[str, Any]:
    """Ask ActiveMQ's statistics plugin.

    Raises:
        BusError: it does not answer; the message says what its configuration must have.
    """
    timeout = min(timeout, ANSWER)
    side = bus.branch()
    side.start(timeout)
    try:
        connection = side.connection(timeout)
        with Asking(side, timeout, clock, {"transformation": "jms-map-json"}) as asking:
            side.on_lost = lambda _: asking.give_up()
            ask(side, asking, "Broker", clock)
            broker = _answer(asking)
            if broker is None and connection.lost:
                raise BusRefused(
                    "ActiveMQ ended the connection that asked for its figures: its statistics plugin needs XStream and"
                    f" Jettison on the class path; run `{LIBRARIES}` there and start it again"
                )
            if broker is None:
                raise BusRefused(
                    f"ActiveMQ does not answer a question for its figures: write {PLUGIN} into its activemq.xml"
                    " and start it again"
                )
            for name in (*_QUEUES, "Broker"):  # answered in turn, so that the broker's own is the last one
                ask(side, asking, name, clock)
            queues = _collect(asking)
    finally:
        side.stop()
    return {"bus": _bus(connection.server, broker), "queues": queues, "topics": []}


def ask(bus: Bus, asking: Asking, name: str, clock: Clock) -> None:
    """Ask for figures; where no plugin takes the question out of its queue, it expires there."""
    expires = round((clock.wall() + ANSWER) * 1000)
    headers = {"destination": f"{STATISTICS}{name}", "reply-to": asking.answers, "expires": str(expires)}
    asking.send(frames.encode("SEND", headers))


def _answer(asking: Asking) -> dict[str, Any] | None:
    delivery = asking.next()
    return None if delivery is None else read_map(delivery.body)


def _collect(asking: Asking) -> list[dict[str, Any]]:
    queues = []
    while (told := _answer(asking)) is not None and "destinationName" in told:
        queues.append(_queue(told))
    if told is None:
        raise BusRefused("ActiveMQ has not told the figures of all its queues in time; try again")
    return sorted(queues, key=lambda queue: str(queue["name"]))


def read_map(body: bytes) -> dict[str, Any]:
    """Read a map as XStream writes it in JSON: a list of pairs, of strings or of a string and a typed value.

    Raises:
        BusRefused: it is something else.
    """
    try:
        entries = json.loads(body)["map"]["entry"]
        pairs = [_pair(entry) for entry in (entries if isinstance(entries, list) else [entries])]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise BusRefused(f"ActiveMQ's statistics plugin answers what is no map: {body[:100]!r}") from None
    return dict(pairs)


def _pair(entry: Mapping[str, Any]) -> tuple[str, Any]:
    name = entry["string"]
    if isinstance(name, list):
        name, value = name
    else:
        [value] = [value for kind, value in entry.items() if kind != "string"]
    return str(name), value


def _queue(told: Mapping[str, Any]) -> dict[str, Any]:
    in_flight = int(told.get("inflightCount", 0))
    return {
        "name": str(told["destinationName"]).replace("queue://", "/queue/"),
        "waiting": max(0, int(told.get("size", 0)) - in_flight),
        "in_flight": in_flight,
        "consumers": int(told.get("consumerCount", 0)),
        "in": int(told.get("enqueueCount", 0)),
        "out": int(told.get("dispatchCount", 0)),
        "acked": int(told.get("dequeueCount", 0)),
        "expired": int(told.get("expiredCount", 0)),
    }


def _bus(server: str, told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "server": server,
        "name": told.get("brokerName"),
        "expired": int(told.get("expiredCount", 0)),
        "stored_bytes": int(told.get("storeUsage", 0)),
        "store_percent": int(told.get("storePercentUsage", 0)),
        "memory_percent": int(told.get("memoryPercentUsage", 0)),
    }
