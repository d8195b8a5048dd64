"""A cluster of three RabbitMQs on this machine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from benchmarks.erlang import Mapper
from benchmarks.rabbitmq import RabbitMQ
from swarmage.bench.raw_socket import RawSocket


class Cluster:
    """Three nodes that hold the same quorum queues, of which one may be away.

    Attributes:
        nodes: its nodes.
        address: where all of them listen.
    """

    name = "RabbitMQ cluster"
    package = RabbitMQ.package
    is_there = RabbitMQ.is_there

    def __init__(self, folder: Path | None = None) -> None:
        self._temporary = TemporaryDirectory(prefix="swarmage-bench-") if folder is None else None
        home = Path(self._temporary.name) if self._temporary is not None else folder or Path()
        home.mkdir(parents=True, exist_ok=True)
        self._mapper = Mapper(home)
        numbers = (1, 2, 3)
        self.nodes = [
            RabbitMQ(home / f"node{number}", lean=True, number=number, mapper=self._mapper) for number in numbers
        ]
        first, *others = self.nodes
        for node in self.nodes:
            node.address = replace(first.address, port=node.address.port)
            node.write_config([each.node for each in self.nodes])
        where = tuple((node.address.host, node.address.port) for node in others)
        self.address = replace(first.address, others=where)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes:
            node.__exit__()
        self._mapper.stop()
        if self._temporary is not None:
            self._temporary.cleanup()

    def start(self) -> None:
        """Start all nodes at once."""
        for node in self.nodes:
            node.start()

    def wait(self) -> RawSocket:
        """Return a socket to one of the nodes as soon as all of them let one in."""
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            first, *others = pool.map(RabbitMQ.wait, self.nodes)
        for other in others:
            other.close()
        return first
