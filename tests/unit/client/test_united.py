from __future__ import annotations

from typing import Any

import pytest

from swarmage.bus.bus import Bus
from swarmage.client.several import Answer
from swarmage.client.united import united
from swarmage.errors import BusUnreachable
from swarmage.settings import Address

ONE, TWO = Bus(Address(host="one")), Bus(Address(host="two"))


def status(bus: Bus, *queues: dict[str, Any], **figures: Any) -> Answer[dict[str, Any]]:
    found = {
        "bus": {"url": str(bus.address), **figures},
        "queues": list(queues),
        "drones": [{"id": f"drone at {bus.address.host}"}],
        "silent_drones": 1,
        "paused": [bus.address.host, "both"],
        "concurrency": {},
        "cancelled": 2,
    }
    return Answer(bus, found, None)


def test_what_can_be_added_up_is() -> None:
    queue = {"name": "q", "task_class": "t", "waiting": 2, "oldest_age": None}
    one = status(ONE, queue, pid=5, uptime=9.0, rate_in=0.5, messages_in=1, durability="disk")
    two = status(
        TWO, {**queue, "oldest_age": 3.5}, {**queue, "name": "p"}, pid=6, uptime=1.0, rate_in=1.0, messages_in=2
    )
    found = united([one, two])
    assert found["bus"] == {"url": "stomp://one:61613 stomp://two:61613", "rate_in": 1.5, "messages_in": 3}
    assert [(each["name"], each["waiting"], each["oldest_age"]) for each in found["queues"]] == [
        ("p", 2, None),
        ("q", 4, 3.5),
    ]
    assert [(each["id"], each["bus"]) for each in found["drones"]] == [
        ("drone at one", "stomp://one:61613"),
        ("drone at two", "stomp://two:61613"),
    ]
    assert (found["silent_drones"], found["cancelled"], found["paused"]) == (2, 2, ["both", "one", "two"])


def test_a_bus_without_figures_leaves_those_of_the_other_and_says_so() -> None:
    found = united([status(ONE, messages_in=4), status(TWO, server="RabbitMQ/3", note="it tells no figures")])
    assert (found["bus"]["messages_in"], found["bus"]["note"]) == (4, "it tells no figures")


def test_a_bus_that_does_not_answer_is_named_and_without_any_that_is_the_error() -> None:
    lost: Answer[dict[str, Any]] = Answer(TWO, None, BusUnreachable("gone"))
    assert united([status(ONE), lost])["buses"][1] == {"url": "stomp://two:61613", "error": "gone"}
    with pytest.raises(BusUnreachable, match="gone"):
        united([lost])
