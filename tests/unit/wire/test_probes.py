from __future__ import annotations

import pytest

from swarmage.wire.envelope import Wire
from swarmage.wire.message import Message
from swarmage.wire.probes import answer_to, read_answer, write_probe

from ..fakes import KEY, OTHER_KEY, FakeClock

ANSWERS = "/queue/swarmage.reply.status.0123"


@pytest.fixture
def wire(clock: FakeClock) -> Wire:
    return Wire(KEY, clock)


def headers(message: Message) -> dict[str, str]:
    return {"destination": message.destination, "signature": message.signature}


def test_a_probe_stands_in_the_queue_of_its_class_and_is_answered_with_its_number(wire: Wire) -> None:
    probe = write_probe(wire, "text.census", "7", ANSWERS)
    assert (probe.destination, probe.persistent, probe.expires) == ("/queue/swarmage.task.text.census", False, 60)
    answer = answer_to(wire, headers(probe), probe.body)
    assert answer is not None
    assert (answer.destination, answer.persistent) == (ANSWERS, False)
    assert read_answer(wire, ANSWERS, headers(answer), answer.body) == ("7", "text.census")


def test_what_is_no_probe_is_not_answered(wire: Wire, clock: FakeClock) -> None:
    probe = write_probe(wire, "a", "7", ANSWERS)
    forged = write_probe(Wire(OTHER_KEY, clock), "a", "7", ANSWERS)
    moved = headers(probe) | {"destination": "/queue/swarmage.task.b"}
    elsewhere = write_probe(wire, "a", "7", "/queue/swarmage.task.a")
    other = wire.note("/queue/swarmage.task.a", {"probe": 7, "reply_to": ANSWERS})
    assert answer_to(wire, headers(forged), forged.body) is None
    assert answer_to(wire, moved, probe.body) is None
    for message in (elsewhere, other):
        assert answer_to(wire, headers(message), message.body) is None


def test_what_is_no_answer_is_not_read(wire: Wire, clock: FakeClock) -> None:
    forged = Wire(OTHER_KEY, clock).note(ANSWERS, {"probed": "7", "task_class": "a"})
    other = wire.note(ANSWERS, {"id": "a drone"})
    for message in (forged, other):
        assert read_answer(wire, ANSWERS, headers(message), message.body) is None
