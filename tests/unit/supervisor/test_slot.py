from __future__ import annotations

import random

import pytest

from swarmage.errors import BusUnreachable, ConnectionLost, LoginRefused, SwarmageError
from swarmage.settings import Address
from swarmage.supervisor.protocol import DroneSpec, Failed
from swarmage.supervisor.slot import Slot, drone_slots, is_hopeless, slots_on

A, B = Address(port=1), Address(port=2)


def slots(*addresses: Address, processes: int = 1) -> list[Slot]:
    rng = random.Random(1)
    return slots_on(addresses, drone_slots(["target"], processes, {}, rng), rng)


def fail(slot: Slot) -> None:
    slot.on_report(Failed("BusUnreachable", "nobody there"))


def test_one_bus_has_the_drones_that_were_asked_for() -> None:
    assert [(slot.spec.name, slot.address) for slot in slots(A, processes=2)] == [("drone-1", None), ("drone-2", None)]


def test_each_of_several_buses_has_as_many() -> None:
    found = slots(A, B, processes=2)
    assert [slot.spec.name for slot in found] == ["drone-1", "drone-2", "drone-3", "drone-4"]
    assert [slot.address for slot in found] == [A, A, B, B]
    assert [slot.spec.buses for slot in found if isinstance(slot.spec, DroneSpec)] == [2] * 4


@pytest.mark.parametrize("error", [BusUnreachable("x"), ConnectionLost("x")])
def test_a_bus_that_is_not_there_is_hopeless_when_no_other_is(error: SwarmageError) -> None:
    first, second, third = slots(A, processes=1) + slots(A, B)
    fail(first)
    assert is_hopeless([first], error, bus_comes=False)
    assert not is_hopeless([first], error, bus_comes=True)
    fail(second)
    assert not is_hopeless([second, third], error, bus_comes=False)
    fail(third)
    assert is_hopeless([second, third], error, bus_comes=False)
    third.became_ready()
    assert not is_hopeless([second, third], error, bus_comes=False)


def test_what_is_wrong_with_the_drone_itself_is_hopeless_on_any_bus() -> None:
    both = slots(A, B)
    fail(both[0])
    assert is_hopeless(both, LoginRefused("x"), bus_comes=False)
