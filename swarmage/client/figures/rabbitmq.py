"""The figures of RabbitMQ's queues, under the names they have on our own bus.

From: management.  To: client.

Its own are up to five seconds old. Queues of others in the same vhost, and those of originators, are left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from swarmage.bus.bus import Bus
from swarmage.client.figures.management import Management
from swarmage.clock import Clock

ANSWER = 2.0
"""Seconds that it has for an answer: what else is asked of the swarm waits for it."""
_NAMES = r"^swarmage\.(task|dead|delay)(\.|$)"
_DELAYED = re.compile(r"swarmage\.delay\.\d+\.\d+\.(task\..+)")
_STATS = ("publish", "publish_details.rate", "deliver_get", "deliver_get_details.rate", "ack")
_COLUMNS = ",".join(
    ("name", "messages_ready", "messages_unacknowledged", "consumers", *(f"message_stats.{name}" for name in _STATS))
)


def rabbitmq_figures(bus: Bus, timeout: float, clock: Clock) -> dict[str, Any]:
    """Ask RabbitMQ's management API.

    Raises:
        BusError: it does not answer, or not us; the message says what is missing.
    """
    management = Management(bus.address, min(timeout, ANSWER), clock)
    queues = management.queues(_NAMES, _COLUMNS)
    overview = management.get("overview", columns="object_totals,queue_totals,message_stats")
    delayed: Counter[str] = Counter()
    for queue in queues:
        if found := _DELAYED.fullmatch(str(queue.get("name"))):
            delayed[f"swarmage.{found[1]}"] += _number(queue, "messages_ready")
    told = [_queue(queue, delayed) for queue in queues if not str(queue.get("name")).startswith("swarmage.delay.")]
    return {
        "bus": {
            "server": bus.connection(timeout).server,
            "management": management.base,
            "connections": _number(overview.get("object_totals"), "connections"),
            "messages_waiting": _number(overview.get("queue_totals"), "messages_ready"),
            **_rates(overview.get("message_stats")),
        },
        "queues": sorted(told, key=lambda queue: str(queue["name"])),
        "topics": [],
    }


def _queue(queue: Mapping[str, Any], delayed: Mapping[str, int]) -> dict[str, Any]:
    stats = queue.get("message_stats")
    return {
        "name": f"/queue/{queue['name']}",
        "waiting": _number(queue, "messages_ready"),
        "in_flight": _number(queue, "messages_unacknowledged"),
        "delayed": delayed.get(str(queue["name"]), 0),
        "consumers": _number(queue, "consumers"),
        **_rates(stats),
        "in": _number(stats, "publish"),
        "out": _number(stats, "deliver_get"),
        "acked": _number(stats, "ack"),
    }


def _rates(stats: Any) -> dict[str, float]:
    names = (("rate_in", "publish_details"), ("rate_out", "deliver_get_details"))
    told = stats if isinstance(stats, Mapping) else {}
    return {ours: round(float(_number(told.get(theirs), "rate")), 3) for ours, theirs in names}


def _number(told: Any, name: str) -> Any:
    """Return a figure; of a queue nobody has used yet RabbitMQ tells none."""
    value = told.get(name, 0) if isinstance(told, Mapping) else 0
    return value if isinstance(value, int | float) else 0
