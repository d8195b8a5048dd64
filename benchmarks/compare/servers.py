"""The buses of the comparison, each started for it on a free port, and all of them ended with it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.compare.asking import Buses
from benchmarks.compare.environments import NotInstalled
from benchmarks.compare.peers import EMBEDDED, RABBITMQ, REDIS, SQLITE
from benchmarks.rabbitmq import RabbitMQ
from benchmarks.redis_server import Redis
from swarmage.bench.swarm import Swarm, free_ports


@contextmanager
def started(wanted: Collection[str], fsync: str, data: Path | None) -> Iterator[tuple[Buses, dict[str, str]]]:
    """Start the buses of these names; yield where they are, and their versions.

    Args:
        wanted: the names of the buses.
        fsync: when Redis syncs its log.
        data: where the folders of the embedded bus and of SQLite are made.

    Raises:
        NotInstalled: one of them is not here; the message says what to do.
    """
    with ExitStack() as stack:
        # Always there, at least its folder: it holds the key that swarmage signs with on any bus.
        swarm = stack.enter_context(Swarm(free_ports(1)[0], data))
        urls, raw = {SQLITE: str(swarm.home)}, dict[str, str]()
        versions: dict[str, str] = {}
        if EMBEDDED in wanted:
            swarm.start_bus()
            urls[EMBEDDED] = swarm.address.url
        if RABBITMQ in wanted:
            if not RabbitMQ.is_there():
                raise NotInstalled("RabbitMQ is not installed; on Debian: apt-get install rabbitmq-server")
            server = stack.enter_context(RabbitMQ())
            server.start()
            server.wait().close()
            urls[RABBITMQ], raw[RABBITMQ] = server.amqp, server.address.url
            versions |= server.versions()
        if REDIS in wanted:
            if not Redis.is_there():
                raise NotInstalled("Redis is not installed; on Debian: apt-get install redis-server")
            redis = stack.enter_context(Redis(fsync=fsync))
            redis.start()
            redis.wait_until_up()
            urls[REDIS] = redis.url
            versions["Redis"] = redis.version()
        yield Buses(urls=urls, raw=raw), versions
