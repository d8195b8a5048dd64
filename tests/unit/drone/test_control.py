"""What a drone hears and what it does not, on a bus that is not there."""

from __future__ import annotations

from typing import Any

import pytest

from swarmage.abilities import ability
from swarmage.bus.delivery import Delivery
from swarmage.drone.control import FRESH, Control
from swarmage.drone.crew import Crew
from swarmage.drone.messages import DrainAsked, Letter, Ordered, RollCall
from swarmage.drone.presence import Presence
from swarmage.drone.worker import Worker
from swarmage.wire import names
from swarmage.wire.envelope import Wire

from ..fakes import OTHER_KEY, FakeCell

ANSWERS = names.reply_destination("asker")


class Idle(Worker):
    @ability("idle")
    def idle(self) -> None: ...


@pytest.fixture
def cell() -> FakeCell:
    here = FakeCell()
    here.mailbox._next_tick = here.clock.now + 1
    return here


@pytest.fixture
def control(cell: FakeCell) -> Control:
    crew = Crew([Idle], {}, cell.cell)
    return Control(cell.cell, crew, Presence("me", cell.cell), cell.finalizer)


def heard(cell: FakeCell, control: Control, note: Any, wire: Wire | None = None) -> list[Any]:
    message = (wire or cell.wire).note(names.CONTROL, note)
    control.receive([cell.delivery(message)])
    return [] if cell.mailbox.empty() else [cell.mailbox.get().message]


def request(cell: FakeCell, **changed: Any) -> dict[str, Any]:
    return {"say": "drain", "drone": "me", "reply_to": ANSWERS, "issued": cell.clock.wall()} | changed


def test_a_roll_call_reaches_the_drone(cell: FakeCell, control: Control) -> None:
    assert heard(cell, control, {"say": "roll call", "reply_to": ANSWERS}) == [RollCall(ANSWERS)]


def test_a_change_of_the_orders_reaches_the_drone(cell: FakeCell, control: Control) -> None:
    assert heard(cell, control, {"say": "orders"}) == [Ordered(changed=True)]


def test_a_request_to_this_drone_reaches_it(cell: FakeCell, control: Control) -> None:
    assert heard(cell, control, request(cell)) == [DrainAsked(ANSWERS)]


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
def test_nothing_else_is_heard(cell: FakeCell, control: Control, note: Any) -> None:
    assert heard(cell, control, note) == []


def test_a_request_may_be_dated_in_whole_seconds(cell: FakeCell, control: Control) -> None:
    assert heard(cell, control, request(cell, issued=int(cell.clock.wall()))) == [DrainAsked(ANSWERS)]


@pytest.mark.parametrize(
    "changed", [{"drone": "another"}, {"reply_to": names.task_destination("a")}, {"issued": "now"}, {"say": "dance"}]
)
def test_a_request_to_another_or_of_another_form_is_not_obeyed(
    cell: FakeCell, control: Control, changed: dict[str, Any]
) -> None:
    assert heard(cell, control, request(cell, **changed)) == []


def test_a_copy_of_a_request_is_refused_while_the_request_counts_and_afterwards(
    cell: FakeCell, control: Control, caplog: pytest.LogCaptureFixture
) -> None:
    drain = request(cell)
    assert heard(cell, control, drain) == [DrainAsked(ANSWERS)]
    assert heard(cell, control, drain) == []
    cell.clock.advance(FRESH - 1)
    cell.mailbox._next_tick = cell.clock.now + 1
    assert heard(cell, control, drain) == []
    assert "it is a copy" in caplog.text
    cell.clock.advance(2)
    cell.mailbox._next_tick = cell.clock.now + 1
    assert heard(cell, control, drain) == []
    assert "it was issued 61 s ago" in caplog.text


def test_a_request_from_the_future_is_refused(cell: FakeCell, control: Control) -> None:
    assert heard(cell, control, request(cell, issued=cell.clock.wall() + FRESH + 1)) == []


def test_a_request_from_a_little_ahead_cannot_be_copied_later(cell: FakeCell, control: Control) -> None:
    drain = request(cell, issued=cell.clock.wall() + FRESH - 1)
    assert heard(cell, control, drain) == [DrainAsked(ANSWERS)]
    cell.clock.advance(2 * FRESH - 2)
    cell.mailbox._next_tick = cell.clock.now + 1
    assert heard(cell, control, drain) == []


def test_who_does_not_sign_is_not_heard_and_holds_up_no_other(cell: FakeCell, control: Control) -> None:
    call = {"say": "roll call", "reply_to": ANSWERS}
    assert heard(cell, control, call, Wire(OTHER_KEY, cell.clock)) == []
    assert heard(cell, control, request(cell), Wire(OTHER_KEY, cell.clock)) == []
    unsigned = Delivery(cell.connection, {"destination": names.CONTROL}, b"{}")  # type: ignore[arg-type]
    control.receive([unsigned, cell.delivery(cell.wire.note(names.CONTROL, call))])
    assert cell.mailbox.get() == Letter(RollCall(ANSWERS))
