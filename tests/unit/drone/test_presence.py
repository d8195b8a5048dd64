from __future__ import annotations

from typing import Any

import pytest

from swarmage.drone.presence import Presence
from swarmage.errors import BusUnreachable, ConnectionLost
from swarmage.wire import names

from ..fakes import FakeCell

ANSWERS = names.reply_destination("asker")


@pytest.fixture
def cell() -> FakeCell:
    here = FakeCell()
    here.mailbox._next_tick = here.clock.now + 1
    return here


@pytest.fixture
def presence(cell: FakeCell) -> Presence:
    return Presence("me", cell.cell)


def test_the_answer_is_signed_and_says_who_is_here(cell: FakeCell, presence: Presence) -> None:
    presence.answer(ANSWERS, [])
    [frame] = cell.connection.frames()
    assert frame.headers["destination"] == ANSWERS
    note = cell.wire.read_note(ANSWERS, frame.body, frame.headers["signature"])
    assert (note["id"], note["holding"], note["workers"]) == ("me", 0, [])
    assert note["started"] == cell.clock.wall()


@pytest.mark.parametrize("error", [ConnectionLost, BusUnreachable])
def test_without_a_bus_a_roll_call_is_not_answered_and_does_no_harm(
    cell: FakeCell, presence: Presence, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: float) -> Any:
        raise error("no bus")

    monkeypatch.setattr(cell.bus, "connection", refuse)
    presence.answer(ANSWERS, [])
