"""The fixture ``swarm``, for every test of whoever has swarmage and pytest installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from swarmage.testing.swarm import Swarm


@pytest.fixture
def swarm() -> Iterator[Swarm]:
    """A swarm in this process without drones: ``swarm.start(Census)`` starts one."""
    from swarmage.testing.swarm import Swarm  # noqa: PLC0415 - tests that don't use it need not load it

    with Swarm() as here:
        yield here
