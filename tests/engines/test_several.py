"""Buses of different kinds at once: our own, and each of the others beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from conftest import ENGINES, SECONDS, Engine, _numbers, eventually, need_installed
from test_promises import adder

from benchmarks.brokers import Broker, Embedded
from swarmage import Client, Task

pytestmark = pytest.mark.acceptance


@pytest.fixture(params=["rabbitmq", "activemq"])
def pair(request: pytest.FixtureRequest, brokers: Mapping[type[Broker], Broker]) -> Iterator[tuple[Engine, Engine]]:
    """Our own bus and another one, with a drone on each."""
    other = need_installed(ENGINES[request.param].broker, brokers)
    both = Engine("embedded", brokers[Embedded]), Engine(request.param, other)
    prefix = f"engine{next(_numbers)}"
    for engine in both:
        engine.broker.wait_until_up()
        engine.prefix = prefix
        engine.drone(adder(engine))
    yield both
    for engine in both:
        engine.end_test()


def test_buses_of_two_kinds_share_tasks_and_stand_in_for_each_other(pair: tuple[Engine, Engine]) -> None:
    ours, theirs = pair
    name = f"{ours.prefix}.add"
    with Client(urls=[ours.url, theirs.url], timeout=20.0, spread=True) as client:
        replies = client.insert_many(name, [(number, 1) for number in range(20)])
        assert [reply.result(SECONDS) for reply in replies] == list(range(1, 21))
        assert len(client.status()["drones"]) >= 2
    with Client(urls=[ours.url, theirs.url], timeout=20.0) as client:
        assert client.insert(name, 1, 2).result(SECONDS) == 3
        ours.broker.kill()
        try:
            assert [client.insert(name, number, 2).result(SECONDS) for number in range(5)] == list(range(2, 7))
        finally:
            ours.broker.start()
            ours.broker.wait_until_up()
        client.pause(name)
        eventually(lambda: client.status()["paused"] == [name])
        client.resume(name)


def test_what_one_bus_cannot_do_goes_to_the_one_that_can(pair: tuple[Engine, Engine]) -> None:
    ours, theirs = pair
    with Client(urls=[theirs.url, ours.url], timeout=20.0) as client:
        task = Task(task_class=f"{ours.prefix}.add", args=[1, 2], priority=7)  # quorum queues refuse it
        assert client.insert_task(task).result(SECONDS) == 3
