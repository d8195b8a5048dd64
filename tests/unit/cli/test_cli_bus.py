from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from swarmage.cli.main import commands

from ..broker.stored import fill, flip


@pytest.fixture
def folder(home: Path) -> Path:
    """Return the folder where a bus of this home keeps its messages, with some in it."""
    fill(home / "bus" / "bus.db")
    return home / "bus"


def test_a_sound_file_is_shown_as_a_table(folder: Path) -> None:
    result = CliRunner().invoke(commands, ["bus", "--check"])
    assert result.exit_code == 0
    assert "/queue/q1" in result.output
    assert "BY PRIORITY" in result.output
    assert result.output.endswith("sound\n")


def test_a_file_with_a_damaged_header_ends_with_1_and_the_command(folder: Path) -> None:
    flip(folder / "bus.db", 20)
    result = CliRunner().invoke(commands, ["bus", "--check", "--data", str(folder)])
    assert result.exit_code == 1
    assert f"swarmage bus --repair --data {folder}" in result.output
    repaired = CliRunner().invoke(commands, ["bus", "--repair", "--json"])
    assert repaired.exit_code == 0
    assert json.loads(repaired.output)["saved"] == 120
    assert CliRunner().invoke(commands, ["bus", "--check"]).exit_code == 0


def test_compacting_says_what_it_gained(folder: Path) -> None:
    result = CliRunner().invoke(commands, ["bus", "--compact", "--json"])
    assert result.exit_code == 0
    sizes = json.loads(result.output)
    assert sizes["bytes_before"] > sizes["bytes_after"] > 0


@pytest.mark.parametrize("operation", ["--check", "--repair", "--compact"])
def test_a_folder_without_a_bus_is_told(home: Path, operation: str) -> None:
    result = CliRunner().invoke(commands, ["bus", operation])
    assert result.exit_code == 2
    assert "there is no bus.db" in result.output


@pytest.mark.parametrize("size", ["0", "-1", "1.5G", "many", "5X"])
def test_a_size_that_is_none_is_refused(home: Path, size: str) -> None:
    result = CliRunner().invoke(commands, ["bus", "--max-bytes", size])
    assert result.exit_code == 2
    assert "such as 500M" in result.output


@pytest.mark.parametrize("limit", ["0", "-1", "many", "/queue/a", "/queue/a=", "/queue/a=0", "orders.=3", "/topic/a=3"])
def test_a_limit_of_deliveries_that_is_none_is_refused(home: Path, limit: str) -> None:
    result = CliRunner().invoke(commands, ["bus", "--max-deliveries", limit])
    assert result.exit_code == 2
    assert "is neither N nor /queue/NAME=N" in result.output


def test_two_limits_of_deliveries_for_the_same_queues_are_refused(home: Path) -> None:
    result = CliRunner().invoke(commands, ["bus", "--max-deliveries", "3", "--max-deliveries", "4"])
    assert result.exit_code == 2
    assert "there are two limits for /queue/" in result.output
