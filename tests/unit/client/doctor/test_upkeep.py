"""Versions, and what RabbitMQ's management API tells of its queues, as it has told it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from swarmage.bus.dialects import dialect_of
from swarmage.client.doctor import timing, upkeep
from swarmage.client.doctor.bench import Bench
from swarmage.client.figures.management import Skew
from swarmage.errors import BusUnreachable
from swarmage.settings import Address

TASK = {
    "name": "swarmage.task.a",
    "type": "quorum",
    "durable": True,
    "auto_delete": False,
    "arguments": {"x-queue-type": "quorum"},
    "effective_policy_definition": {},
}
REPLY = {
    **TASK,
    "name": "swarmage.reply.ann",
    "arguments": {"x-queue-type": "quorum", "x-expires": 86_400_000},
}
STATE = {**TASK, "name": "swarmage.state", "type": "stream", "arguments": {"x-queue-type": "stream"}}


class FakeManagement:
    def __init__(self, *queues: Any, silent: bool = False) -> None:
        self._queues = list(queues)
        self._silent = silent
        self.skew: Skew | None = None

    def queues(self, *_: str) -> list[Any]:
        if self._silent:
            raise BusUnreachable("no answer")
        return self._queues

    def get(self, *_: str, **__: str) -> Any:
        self.queues()
        self.skew = Skew(5.0, 1.0)


def on(server: str, *queues: Any, silent: bool = False, address: Address | None = None) -> Bench:
    address = address or Address(login="ann")
    bus = SimpleNamespace(dialect=dialect_of(server, address), address=address, connection=None)
    management = FakeManagement(*queues, silent=silent)
    bench = Bench.__new__(Bench)
    bench.bus, bench.server, bench.management = cast(Any, bus), server, cast(Any, management)
    return bench


@pytest.mark.parametrize(
    ("server", "state"),
    [
        ("RabbitMQ/3.9.29", "error"),
        ("RabbitMQ/3.10.8", "warning"),
        ("RabbitMQ/3.13.7", "warning"),
        ("RabbitMQ/4.2.5", "ok"),
        ("RabbitMQ/4.3.0-rc.1", "ok"),
        ("ActiveMQ/5.16.7", "error"),
        ("ActiveMQ/5.17.2", "warning"),
        ("ActiveMQ/5.19.4", "ok"),
        ("ActiveMQ/6.0.0", "warning"),
        ("ActiveMQ/6.2.4", "ok"),
        ("swarmage/0.1.0", "ok"),
        ("swarmage/99.0", "warning"),
        ("swarmage/test", "unknown"),
        ("RabbitMQ", "unknown"),
    ],
)
def test_old_versions_are_told(server: str, state: str) -> None:
    assert upkeep.version(on(server)).state == state


def test_a_bus_that_is_older_than_what_is_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "_installed", lambda: "0.2.0")
    found = upkeep.version(on("swarmage/0.1.0"))
    assert found.seen == "swarmage/0.1.0 is the bus, 0.2.0 is installed here"


def test_queues_as_this_url_declares_them_are_fine() -> None:
    assert upkeep.queue_types(on("RabbitMQ/3.10.8", TASK, REPLY, STATE)).state == "ok"


@pytest.mark.parametrize(
    ("queue", "says"),
    [
        ({**TASK, "type": "classic", "arguments": {}}, "swarmage.task.a with x-queue-type=classic, not"),
        ({**TASK, "arguments": {"x-queue-type": "quorum", "x-max-length": 5}}, "x-max-length=5"),
        ({**REPLY, "arguments": {"x-queue-type": "quorum"}}, "not x-expires=86400000"),
        ({**TASK, "durable": False}, "not durable"),
        ({**TASK, "auto_delete": True}, "deletes itself"),
    ],
)
def test_a_queue_that_was_declared_otherwise_is_an_error(queue: Any, says: str) -> None:
    found = upkeep.queue_types(on("RabbitMQ/3.10.8", TASK, queue))
    assert found.state == "error"
    assert says in found.seen
    assert "rabbitmqctl delete_queue" in found.advice


@pytest.mark.parametrize(
    ("server", "queues", "state"),
    [
        ("RabbitMQ/3.10.8", (TASK,), "ok"),
        ("RabbitMQ/3.10.8", ({**TASK, "effective_policy_definition": {"delivery-limit": 5}},), "error"),
        ("RabbitMQ/4.2.5", (TASK,), "error"),
        ("RabbitMQ/4.2.5", (), "warning"),
        ("RabbitMQ/4.2.5", ({**TASK, "effective_policy_definition": {"delivery-limit": -1}},), "ok"),
        ("RabbitMQ/4.2.5", ({**TASK, "arguments": {"x-delivery-limit": 3}},), "error"),
    ],
)
def test_a_limit_after_which_tasks_are_dropped_is_an_error(server: str, queues: Any, state: str) -> None:
    found = upkeep.delivery_limit(on(server, *queues))
    assert found.state == state
    assert (upkeep.NO_LIMIT if "/4" in server else "rabbitmqctl list_policies") in found.advice or state == "ok"


def test_classic_queues_have_no_limit() -> None:
    assert upkeep.delivery_limit(on("RabbitMQ/4.2.5", address=Address(queues="classic"))).state == "ok"


@pytest.mark.parametrize(
    ("queues", "state"),
    [
        ((), "unknown"),
        ((TASK,), "unknown"),
        (({**TASK, "effective_policy_definition": {"consumer-timeout": 1_800_000}},), "warning"),
        (({**TASK, "effective_policy_definition": {"consumer-timeout": 86_400_000}},), "ok"),
        (({**TASK, "effective_policy_definition": {"consumer-timeout": 86_400_000}}, TASK), "unknown"),
    ],
)
def test_a_short_timeout_is_told_where_a_policy_says_it(queues: Any, state: str) -> None:
    found = upkeep.consumer_timeout(on("RabbitMQ/4.2.5", *queues))
    assert found.state == state
    assert state == "ok" or "consumer_timeout = 86400000" in found.advice


def test_without_the_management_api_much_is_unknown() -> None:
    bench = on("RabbitMQ/4.2.5", silent=True)
    for probe in (upkeep.queue_types, upkeep.delivery_limit, upkeep.consumer_timeout, timing.clock):
        assert probe(bench).state == "unknown"
    assert "rabbitmqctl set_user_tags ann monitoring" in upkeep.queue_types(bench).advice
    assert upkeep.delivery_limit(on("RabbitMQ/3.13.0", silent=True)).state == "ok"


def test_the_clock_of_rabbitmq_is_that_of_its_management_api() -> None:
    found = timing.clock(on("RabbitMQ/4.2.5"))
    assert (found.state, "5.0 s ahead" in found.seen) == ("warning", True)
