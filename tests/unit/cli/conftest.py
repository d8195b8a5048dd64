from __future__ import annotations

import importlib

import pytest

from .fake_client import FakeClient, FakeDeadLetters


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    """What every command of this test talks to."""
    fake = FakeClient()
    for module in ("send", "status", "dead", "control", "top"):
        monkeypatch.setattr(importlib.import_module(f"swarmage.cli.{module}"), "Client", fake)
    monkeypatch.setattr(importlib.import_module("swarmage.cli.dead"), "DeadLetters", FakeDeadLetters)
    return fake
