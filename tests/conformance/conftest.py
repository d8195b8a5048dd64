from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.broker.driver import Bus
from tests.unit.seeds import SEED

from .live import Live


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if report.failed:
        report.sections.append(("seed", f"replay random tests with SWARMAGE_SEED={SEED}"))
    return report


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def live() -> Iterator[Live]:
    """A bus on a port, in memory."""
    server = Live()
    yield server
    server.stop()


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[Live]:
    """A bus on a port that keeps its messages on disk, with one login."""
    server = Live(data=tmp_path / "bus", users={"ann": "s3cret"})
    yield server
    server.stop()
