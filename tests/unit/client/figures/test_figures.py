from __future__ import annotations

import json
from typing import Any

import pytest

from swarmage.client.client import Client
from swarmage.client.figures.activemq import read_map
from swarmage.client.figures.rabbitmq import rabbitmq_figures
from swarmage.client.status import bus_figures, find_figures, told_figures
from swarmage.clock import SYSTEM_CLOCK
from swarmage.errors import BusRefused

from ...conftest import EmbeddedBus
from ...fakes import SECONDS
from .web import Web

STATS = {"publish": 7, "publish_details": {"rate": 1.5}, "deliver_get": 6, "ack": 4}
QUEUES: list[dict[str, Any]] = [
    {"name": "swarmage.task.b", "messages_ready": 1},
    {
        "name": "swarmage.task.a",
        "messages_ready": 3,
        "messages_unacknowledged": 2,
        "consumers": 1,
        "message_stats": STATS,
    },
    {"name": "swarmage.delay.1052.20779.task.a", "messages_ready": 4},
    {"name": "swarmage.delay.2000.20780.task.a", "messages_ready": 1},
    {"name": "swarmage.delay.2000.20780.doctor.x", "messages_ready": 1},
    {"name": "swarmage.dead", "messages_ready": "many"},
]
OVERVIEW = {"object_totals": {"connections": 2}, "queue_totals": {"messages_ready": 9}, "message_stats": STATS}


def test_figures_of_rabbitmq_have_the_names_of_ours(embedded_bus: EmbeddedBus) -> None:
    answers = {
        "/api/queues/%2F?page=1&": (200, json.dumps({"items": QUEUES, "page_count": 1})),
        "/api/overview": (200, json.dumps(OVERVIEW)),
    }
    with Web(answers) as web, Client(f"{embedded_bus.url}?dialect=rabbitmq&management={web.url}") as client:
        told = rabbitmq_figures(client.connect(), SECONDS, SYSTEM_CLOCK)
    assert [queue["name"] for queue in told["queues"]] == [
        "/queue/swarmage.dead",
        "/queue/swarmage.task.a",
        "/queue/swarmage.task.b",
    ]
    dead, busy, _ = told["queues"]
    assert dead["waiting"] == 0
    counts = {"waiting": 3, "in_flight": 2, "delayed": 5, "consumers": 1, "in": 7, "out": 6, "acked": 4}
    assert busy == {"name": "/queue/swarmage.task.a", **counts, "rate_in": 1.5, "rate_out": 0.0}
    assert told["bus"]["messages_waiting"] == 9
    assert told["bus"]["connections"] == 2
    with Client(embedded_bus.url) as client:
        client.insert("some.task")
        [ours] = bus_figures(client.connect(), SECONDS, SYSTEM_CLOCK)["queues"][-1:]
    assert set(busy) < set(ours)


def test_a_map_is_read_as_xstream_writes_it() -> None:
    body = b'{"map":{"entry":[{"string":"size","long":2},{"string":["destinationName","queue:\\/\\/a"]}]}}'
    assert read_map(body) == {"size": 2, "destinationName": "queue://a"}
    assert read_map(b'{"map":{"entry":{"string":"size","long":2}}}') == {"size": 2}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"map":""}',
        b'{"map":{"entry":["size"]}}',
        b'{"map":{"entry":[{"string":"size"}]}}',
        b'{"map":{"entry":[{"long":2}]}}',
        b'{"map":{"entry":[{"string":["a","b","c"]}]}}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_map_is_refused(body: bytes) -> None:
    with pytest.raises(BusRefused, match="no map"):
        read_map(body)


def test_a_bus_without_figures_has_a_note_that_says_why(embedded_bus: EmbeddedBus) -> None:
    with Web({"/": (401, "")}) as web, Client(f"{embedded_bus.url}?dialect=rabbitmq&management={web.url}") as client:
        bus = client.connect()
        with pytest.raises(BusRefused, match="RabbitMQ"):
            bus_figures(bus, SECONDS, SYSTEM_CLOCK)
        told = told_figures(bus, SECONDS, SYSTEM_CLOCK)
    assert told["queues"] == told["topics"] == []
    assert "set_user_tags ann monitoring" in told["bus"]["note"]
    assert "s3cret" not in told["bus"]["note"]


def test_a_bus_without_statistics_plugin_is_told_to_have_one(
    embedded_bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swarmage.client.figures.activemq.ANSWER", 0.2)
    with Client(f"{embedded_bus.url}?dialect=activemq") as client, pytest.raises(BusRefused, match="<statisticsBroker"):
        find_figures(client.connect(), SECONDS, SYSTEM_CLOCK)
