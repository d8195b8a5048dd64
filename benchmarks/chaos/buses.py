"""What the tasks of the peers wait on: a bus that can be killed and started again on the same data, or a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks.brokers import Broker, Embedded
from benchmarks.chaos.peers import OWN, RABBITMQ, REDIS
from benchmarks.compare.environments import NotInstalled
from benchmarks.rabbitmq import RabbitMQ
from benchmarks.redis_server import Redis


class Place(NamedTuple):
    """Where the tasks of one peer wait.

    Attributes:
        bus: not started yet; None for a file.
        url: by which the peer's programs find it.
        environment: what swarmage's programs need besides.
    """

    bus: Broker | None
    url: str
    environment: Mapping[str, str]


def place(kind: str, folder: Path) -> Place:
    """Return a place of this kind with its data in a folder.

    Raises:
        NotInstalled: this machine has no such bus.
    """
    if kind == OWN:
        own = _there(Embedded)(folder)
        return Place(own, own.address.url, _swarmage(own))
    if kind == RABBITMQ:
        _there(RabbitMQ)
        rabbitmq = RabbitMQ(folder)
        return Place(rabbitmq, rabbitmq.amqp, _swarmage(rabbitmq))
    if kind == REDIS:
        _there(Redis)
        redis = Redis(folder)
        return Place(redis, redis.url, {})
    folder.mkdir(parents=True)
    return Place(None, str(folder / "huey.db"), {})


def _there(kind: type[Broker]) -> type[Broker]:
    if not kind.is_there():
        raise NotInstalled(f"{kind.name} is not installed; on Debian: apt-get install {kind.package}")
    return kind


def _swarmage(bus: Broker) -> dict[str, str]:
    return {"SWARMAGE_URL": bus.address.url, "SWARMAGE_HOME": str(bus.data / "home")}
