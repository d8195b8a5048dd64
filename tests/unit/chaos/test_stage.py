"""What happens on the stage by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from swarmage.chaos import stage as module
from swarmage.chaos.history import History
from swarmage.chaos.ledger import Ledger
from swarmage.chaos.stage import Stage

from ..fakes import FakeClock


class Cast:
    """A bus that has given up, until it is started again."""

    def __init__(self) -> None:
        self.bus_gave_up = True
        self.starts = 0

    def start_bus(self) -> None:
        self.starts += 1


def test_a_bus_that_has_given_up_is_started_again_until_it_stays(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SYSTEM_CLOCK", clock)
    cast: Any = Cast()
    stage = Stage(cast, Ledger(tmp_path / "ledger"), History("run"), 10)
    for starts in (0, 1, 2):
        stage.look()
        stage.look()
        assert cast.starts == starts
        assert not stage.quiet
        clock.advance(module.RESTART_SECONDS)
    stage.look()
    cast.bus_gave_up = False
    clock.advance(module.RESTART_SECONDS)
    stage.look()
    assert stage.quiet
