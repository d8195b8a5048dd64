from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .fake_children import Running, Supervise


@pytest.fixture
def supervise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervise]:
    """Start a supervisor whose children are a small program; it is ended with the test."""
    monkeypatch.setenv("SWARMAGE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SWARMAGE_URL", "stomp://ann:secret@127.0.0.1:4000")
    monkeypatch.delenv("SWARMAGE_KEY_FILE", raising=False)
    started: list[Running] = []

    def start(program: str, **settings: Any) -> Running:
        started.append(Running(program, **settings))
        return started[-1].start()

    yield start
    for each in started:
        each.clean_up()
