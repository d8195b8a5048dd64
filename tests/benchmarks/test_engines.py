"""What the load test of buses says when it ends early."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from click.testing import CliRunner

from benchmarks import engines


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the second bus interrupted in the middle of its first pair."""

    @contextmanager
    def on(name: str, *_: object, **__: object) -> Iterator[str]:
        yield name

    def ask(name: str, *_: object) -> Iterator[tuple[str, float]]:
        yield "raw insert", 2000.0
        if name != "embedded":
            raise KeyboardInterrupt
        yield "insert", 1000.0

    monkeypatch.setattr(engines, "_on", on)
    monkeypatch.setattr(engines, "ask", ask)
    monkeypatch.setattr(engines.RabbitMQ, "is_there", classmethod(lambda cls: True))


@pytest.mark.usefixtures("interrupted")
def test_what_was_asked_of_both_sides_is_told_when_it_is_interrupted() -> None:
    result = CliRunner().invoke(engines.main, ["--only", "embedded", "--only", "rabbitmq", "--json"])
    assert result.exit_code != 0
    told = json.loads(result.stdout.splitlines()[0])
    assert told["samples"] == {"embedded: raw insert": [2000.0], "embedded: insert": [1000.0]}


@pytest.mark.usefixtures("interrupted")
def test_it_is_drawn_too() -> None:
    result = CliRunner().invoke(engines.main, ["--only", "embedded"])
    assert result.exit_code == 0
    assert "embedded, 20,000" in result.stdout
    assert "0.50" in result.stdout
