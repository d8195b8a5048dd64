"""The whole bus under a scheduler that lets everything happen at random: SWARMAGE_SEEDS says how many times."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Iterator

import pytest

from .world import run

COUNT = int(os.environ.get("SWARMAGE_SEEDS") or 1_000)
_GROUPS = 20


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Nobody reads what a thousand crashes log."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def seeds() -> list[list[int]]:
    """Return the one seed that is asked for, or many new ones, in groups."""
    from unit.seeds import SEED

    if os.environ.get("SWARMAGE_SEED"):
        return [[SEED]]
    numbers = iter(range(SEED, SEED + COUNT))
    return list(iter(lambda: list(itertools.islice(numbers, -(-COUNT // _GROUPS))), []))


@pytest.mark.parametrize("group", seeds(), ids=lambda group: f"{group[0]}-{group[-1]}")
def test_nothing_is_lost_or_invented_or_done_twice(group: list[int]) -> None:
    for seed in group:
        run(seed)
