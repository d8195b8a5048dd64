from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from swarmage.cli.bus_options import keeping_options
from swarmage.supervisor.keeping import Keeping


def given(*arguments: str) -> Keeping | str:
    """Return what a command gets for these arguments, or what its user is told."""
    got: list[Keeping] = []

    @click.command()
    @keeping_options
    def command(keeping: Keeping) -> None:
        got.append(keeping)

    result = CliRunner().invoke(command, arguments)
    return got[0] if got else result.output


@pytest.mark.parametrize(("arguments", "seconds"), [((), 120.0), (("--dedupe-window", "7.5"), 7.5)])
def test_the_dedupe_window_is_a_limit_of_the_bus(arguments: tuple[str, ...], seconds: float) -> None:
    keeping = given(*arguments)
    assert isinstance(keeping, Keeping)
    assert keeping.limits.dedupe_seconds == seconds


def test_a_negative_window_is_refused() -> None:
    assert "--dedupe-window" in str(given("--dedupe-window", "-1"))
