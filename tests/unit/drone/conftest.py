"""Whole cells on the real embedded bus, and clients that feed them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pykka
import pytest

from swarmage.client.client import Client
from swarmage.drone.drone import Drone
from swarmage.drone.worker import Worker

from ..conftest import EmbeddedBus
from ..fakes import SECONDS

Start = Callable[..., pykka.ActorRef[Drone]]


@pytest.fixture
def start(embedded_bus: EmbeddedBus) -> Iterator[Start]:
    started: list[pykka.ActorRef[Drone]] = []

    def begin(*workers: type[Worker], **settings: Any) -> pykka.ActorRef[Drone]:
        started.append(Drone.start(workers=workers, url=embedded_bus.url, **settings))
        return started[-1]

    yield begin
    for ref in started:
        ref.stop(timeout=SECONDS)
    for ref in pykka.ActorRegistry.get_all():
        ref.stop(timeout=SECONDS)


@pytest.fixture
def client(embedded_bus: EmbeddedBus) -> Iterator[Client]:
    with Client(embedded_bus.url) as here:
        yield here
