from __future__ import annotations

import pytest

from swarmage import publish
from swarmage.bus.dialects import dialect_of
from swarmage.errors import ConfigError
from swarmage.settings import Address
from swarmage.testing.swarm import Swarm

from .conftest import Accounts


def test_a_bus_that_gives_no_queue_to_one_alone_is_refused(swarm: Swarm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swarm.client.connect(), "dialect", dialect_of("RabbitMQ/3.10.8", Address()))
    ref = Accounts.start()
    try:
        with pytest.raises(ConfigError, match=r"\(RabbitMQ\) cannot give a queue to one publisher alone"):
            publish("accounts", ref, client=swarm.client)
    finally:
        ref.stop()
