from __future__ import annotations

import pytest

from swarmage.bus.delivery import Delivery
from swarmage.drone.standing import StandingOrders
from swarmage.errors import BusUnreachable
from swarmage.wire import names
from swarmage.wire.envelope import Wire
from swarmage.wire.orders import Orders, write_orders

from ..fakes import OTHER_KEY, FakeCell, FakeConnection


class Reading:
    """Standing orders on a bus that shows what the test wants."""

    def __init__(self) -> None:
        self.cell = FakeCell()
        self.read = 0
        self.orders = StandingOrders(self.cell.bus, self.cell.wire, self.cell.clock, self._count)

    def _count(self) -> None:
        self.read += 1

    def show(self, *parts: Orders, end: bool = True, connection: FakeConnection | None = None) -> None:
        deliveries = [self.cell.delivery(write_orders(self.cell.wire, part)) for part in parts]
        if end:
            headers = {"destination": names.STATE, "browser": "end"}
            deliveries.append(Delivery(self.cell.connection, headers, b""))  # type: ignore[arg-type]
        if connection is not None:
            deliveries = [delivery._replace(connection=connection) for delivery in deliveries]  # type: ignore[arg-type]
        self.cell.bus._subscriptions._known["state"].receive(deliveries)


@pytest.fixture
def reading() -> Reading:
    return Reading()


def test_all_messages_together_are_the_orders(reading: Reading) -> None:
    reading.orders.look()
    reading.show(Orders(paused={"a": (True, 1.0)}), end=False)
    assert reading.read == 0
    until = reading.cell.clock.wall() + 1
    reading.show(Orders(cancelled={"x": (until, 1.0)}))
    assert reading.read == 1
    assert reading.orders.standing.orders.paused == {"a": (True, 1.0)}
    assert reading.orders.standing.cancelled == {"x": until}


def test_a_look_while_one_is_under_way_is_another_look_afterwards(reading: Reading) -> None:
    reading.orders.look()
    reading.cell.connection.frames()
    reading.orders.look()
    assert reading.cell.connection.commands() == []
    reading.show()
    reading.orders.look_again()
    assert reading.cell.connection.commands() == ["UNSUBSCRIBE", "SUBSCRIBE"]
    reading.show()
    reading.orders.look_again()
    assert reading.cell.connection.commands() == []


def test_what_a_lost_connection_showed_is_forgotten(reading: Reading) -> None:
    reading.orders.look()
    reading.show(Orders(paused={"a": (True, 1.0)}), end=False)
    reading.show(Orders(paused={"b": (True, 1.0)}), connection=FakeConnection())
    assert reading.orders.standing.orders.paused.keys() == {"b"}


def test_what_is_not_signed_here_is_ignored_and_said(reading: Reading, caplog: pytest.LogCaptureFixture) -> None:
    reading.orders.look()
    wire = reading.cell.wire
    reading.cell.wire = Wire(OTHER_KEY, reading.cell.clock)
    reading.show(Orders(paused={"a": (True, 1.0)}), end=False)
    reading.cell.wire = wire
    reading.show(Orders(paused={"b": (True, 1.0)}))
    assert reading.orders.standing.orders.paused.keys() == {"b"}
    assert f"a message in {names.STATE} is ignored" in caplog.text


def test_a_bus_that_does_not_show_them_is_named(reading: Reading) -> None:
    with pytest.raises(BusUnreachable, match="standing orders"):
        reading.orders.begin(0.01)
