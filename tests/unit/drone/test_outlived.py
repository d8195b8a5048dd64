from __future__ import annotations

from swarmage.drone.messages import Lost
from swarmage.drone.outlived import MOST, Outlived

from ..fakes import FakeCell


def test_losses_are_told_to_the_drone_and_counted_since_a_time() -> None:
    cell = FakeCell()
    began = cell.clock.wall()
    outlived = Outlived(cell.mailbox, cell.clock)
    assert outlived.since(0.0) == 0
    for _ in range(3):
        cell.clock.advance(10)
        outlived.note(cell.connection)  # type: ignore[arg-type]
    assert [outlived.since(began + seconds) for seconds in (0, 10, 10.5, 30, 30.5)] == [3, 3, 2, 1, 0]
    assert Lost in {type(cell.mailbox.get().message) for _ in range(2)}  # the other one may be a tick


def test_not_all_losses_of_a_long_life_are_remembered() -> None:
    cell = FakeCell()
    outlived = Outlived(cell.mailbox, cell.clock)
    for _ in range(MOST + 5):
        outlived.note(cell.connection)  # type: ignore[arg-type]
    assert outlived.since(0.0) == MOST
