"""The client of this process."""

from __future__ import annotations

import pytest

from swarmage.client.default import close_default_client, default_client
from swarmage.errors import ConfigError
from swarmage.testing.swarm import Swarm


def test_there_is_one_for_each_bus(swarm: Swarm) -> None:
    first = default_client()
    assert default_client() is first
    with Swarm() as other:
        assert str(default_client().address) == other.url
    assert default_client() is first


def test_a_closed_one_is_replaced(swarm: Swarm) -> None:
    first = default_client()
    close_default_client()
    close_default_client()
    with pytest.raises(ConfigError, match="this client was closed"):
        first.insert("a")
    assert default_client() is not first
