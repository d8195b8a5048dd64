from __future__ import annotations

import os
from pathlib import Path

import pytest

from swarmage.bench.measure import Plan, measure
from swarmage.bench.place import Place
from swarmage.bench.swarm import Guest, Swarm, free_ports
from swarmage.client.client import Client
from swarmage.errors import ConfigError, DeadlineExceeded
from swarmage.task import Task

from ..conftest import EmbeddedBus


def variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("SWARMAGE_")}


def test_a_swarm_leaves_the_environment_and_the_folder_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWARMAGE_KEY_FILE", "somewhere")
    before = variables()
    with Swarm(free_ports(1)[0], tmp_path) as swarm:
        assert variables() == {"SWARMAGE_HOME": str(swarm.home), "SWARMAGE_URL": swarm.address.url}
        assert swarm.home.parent == tmp_path
    assert variables() == before
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name another"):
        Swarm(1, tmp_path / "missing")


def test_a_place_counts_what_is_on_the_bus(embedded_bus: EmbeddedBus) -> None:
    with Client(embedded_bus.url) as client:
        place = Place(Guest(embedded_bus.address), client, client.clock.monotonic() + 30)
        client.connect()
        assert place.left("bench.noop") == 0
        client.insert_many("bench.noop", ["x"] * 3, reply=False)
        client.insert_task(Task(task_class="bench.noop", args=("x",), delay=60), reply=False)
        assert place.left("bench.noop") == 4
        place.deadline = client.clock.monotonic()
        with pytest.raises(DeadlineExceeded, match="--timeout"):
            place.left("bench.noop")


def test_a_bus_on_which_somebody_else_measures_is_left_alone(
    embedded_bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWARMAGE_URL", embedded_bus.url)
    with Client() as client:
        client.insert_many("bench.noop", ["x"], reply=False)
        with pytest.raises(ConfigError, match=r"bench\.noop"):
            next(measure(Plan(), 30, guest=True))
        assert Place(Guest(), client, client.clock.monotonic() + 30).left("bench.noop") == 1


@pytest.mark.parametrize("url", ["stomps://ann:s3cret@127.0.0.1:1", "memory://somewhere"])
def test_a_bus_that_bare_sockets_cannot_reach_is_refused(url: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARMAGE_URL", url)
    with pytest.raises(ConfigError, match="bare sockets"):
        next(measure(Plan(), 30, guest=True))


def test_what_is_taken_away_is_gone(embedded_bus: EmbeddedBus) -> None:
    with Client(embedded_bus.url) as client:
        client.insert_many("bench.noop", ["x"] * 250, reply=False)
        place = Place(Guest(embedded_bus.address), client, client.clock.monotonic() + 30)
        assert place.take_all("/queue/swarmage.task.bench.noop") == 250
        assert place.take_all("/queue/swarmage.task.bench.noop") == 0
