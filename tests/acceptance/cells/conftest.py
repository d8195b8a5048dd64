"""Whole cells in this process, whose workers have processes of their own."""

from __future__ import annotations

from tests.unit.conftest import embedded_bus, home
from tests.unit.drone.conftest import client, start

__all__ = ["client", "embedded_bus", "home", "start"]  # fixtures
