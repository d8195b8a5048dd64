"""The client of this process."""

from __future__ import annotations

import os
import select

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


def test_a_forked_process_gets_a_client_of_its_own(swarm: Swarm) -> None:
    before = default_client()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:  # no exception may leave this block: it would run the tests that follow twice
        try:
            os.write(write, b"another" if default_client() is not before else b"the same")
        finally:
            os._exit(0)
    os.close(write)
    try:
        assert select.select([read], [], [], 30)[0]
        assert os.read(read, 100) == b"another"
    finally:
        os.close(read)
        os.waitpid(pid, 0)
