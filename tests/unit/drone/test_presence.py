from __future__ import annotations

from typing import Any

import pytest

from swarmage.bus.delivery import Delivery
from swarmage.drone.messages import Letter, RollCall
from swarmage.drone.presence import Presence
from swarmage.errors import BusUnreachable, ConnectionLost
from swarmage.wire import names
from swarmage.wire.envelope import Wire

from ..fakes import OTHER_KEY, FakeCell

ANSWERS = names.reply_destination("asker")


@pytest.fixture
def cell() -> FakeCell:
    here = FakeCell()
    here.mailbox._next_tick = here.clock.now + 1
    return here


@pytest.fixture
def presence(cell: FakeCell) -> Presence:
    return Presence("me", cell.cell, cell.bus)


def heard(cell: FakeCell, presence: Presence, note: Any, wire: Wire | None = None) -> list[Any]:
    message = (wire or cell.wire).note(names.CONTROL, note)
    presence.receive([cell.delivery(message)])
    return [] if cell.mailbox.empty() else [cell.mailbox.get().message]


def test_a_roll_call_reaches_the_drone(cell: FakeCell, presence: Presence) -> None:
    assert heard(cell, presence, {"say": "roll call", "reply_to": ANSWERS}) == [RollCall(ANSWERS)]


@pytest.mark.parametrize(
    "note",
    [
        {"say": "roll call"},
        {"say": "roll call", "reply_to": names.task_destination("a")},
        {"say": "roll call", "reply_to": 3},
        {"say": "else", "reply_to": ANSWERS},
        [],
        None,
    ],
)
def test_nothing_else_is_answered(cell: FakeCell, presence: Presence, note: Any) -> None:
    assert heard(cell, presence, note) == []


def test_who_does_not_sign_is_not_answered_and_holds_up_no_other(cell: FakeCell, presence: Presence) -> None:
    call = {"say": "roll call", "reply_to": ANSWERS}
    assert heard(cell, presence, call, Wire(OTHER_KEY, cell.clock)) == []
    unsigned = Delivery(cell.connection, {"destination": names.CONTROL}, b"{}")  # type: ignore[arg-type]
    good = cell.delivery(cell.wire.note(names.CONTROL, call))
    presence.receive([unsigned, good])
    assert cell.mailbox.get() == Letter(RollCall(ANSWERS))


def test_the_answer_is_signed_and_says_who_is_here(cell: FakeCell, presence: Presence) -> None:
    presence.answer(RollCall(ANSWERS), [])
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
    presence.answer(RollCall(ANSWERS), [])
