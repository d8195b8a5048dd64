from __future__ import annotations

from collections.abc import Callable

import pytest

from swarmage.broker.entrance.door import Admitted, Door, Rejected
from swarmage.broker.limits import Limits

from ..driver import Bus, Client, ManualClock

CONNECT = b"CONNECT\naccept-version:1.2\nlogin:bob\npasscode:word\n\n\0"


class SlowDoor(Door):
    """Answers when a test says so."""

    def __init__(self) -> None:
        super().__init__({}, ManualClock())
        self.answers: list[Callable[[Admitted | Rejected], None]] = []

    def ask(self, host: str, login: str, passcode: str, answer: Callable[[Admitted | Rejected], None]) -> None:
        assert (login, passcode) == ("bob", "word")
        self.answers.append(answer)


@pytest.fixture
def door() -> SlowDoor:
    return SlowDoor()


@pytest.fixture
def client(bus: Bus, door: SlowDoor) -> Client:
    client = Client(bus)
    bus.hub.door = door
    return client


def test_what_comes_before_the_verdict_is_handled_in_order_behind_it(bus: Bus, door: SlowDoor, client: Client) -> None:
    resumed: list[bool] = []
    client.session.entry.go_on = lambda: resumed.append(True)
    client.feed(CONNECT + b"SUBSCRIBE\nid:1\ndestination:/queue/a\n\n\0SEND\ndestination:/queue/a\n\n1\0SEND\ndest")
    client.feed(b"ination:/queue/a\n\n2\0")
    assert client.raw == b""
    assert client.session.entry.waiting
    door.answers[0](Admitted(None))
    bus.settle()
    client.take("CONNECTED")
    assert client.bodies() == [b"1", b"2"]
    assert not client.session.entry.waiting
    assert resumed == [True]


def test_waiting_for_the_verdict_is_not_the_clients_fault(bus: Bus, door: SlowDoor, client: Client) -> None:
    client.feed(CONNECT)
    bus.advance(Limits().login_seconds + 1)
    assert not client.finished
    door.answers[0](Admitted(None))
    bus.settle()
    client.take("CONNECTED")


def test_a_refusal_is_said_when_it_is_due_and_nothing_behind_it_counts(
    bus: Bus, door: SlowDoor, client: Client
) -> None:
    client.feed(CONNECT + b"SEND\ndestination:/queue/a\n\n1\0")
    door.answers[0](Rejected("no", bus.clock.now + 2))
    bus.advance(1.75)
    assert client.raw == b""
    bus.advance(0.5)
    assert client.error() == "no"
    assert bus.hub.tally.came == 0


def test_a_verdict_for_who_has_left_changes_nothing(bus: Bus, door: SlowDoor, client: Client) -> None:
    client.feed(CONNECT)
    client.lose()
    door.answers[0](Admitted(None))
    bus.settle()
    assert client.raw == b""
    assert bus.hub.sessions == {}
