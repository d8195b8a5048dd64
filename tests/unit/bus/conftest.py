from __future__ import annotations

from collections.abc import Iterator

import pytest

from .small_server import SmallServer


@pytest.fixture
def server() -> Iterator[SmallServer]:
    here = SmallServer()
    yield here
    here.close()
