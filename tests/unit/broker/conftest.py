from __future__ import annotations

import pytest

from .driver import Bus


@pytest.fixture
def bus() -> Bus:
    return Bus()
