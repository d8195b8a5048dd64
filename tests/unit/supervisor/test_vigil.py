from __future__ import annotations

import random
from queue import SimpleQueue

import pytest

from swarmage.supervisor.child_process import DeadlinePassed, Event, StopAsked
from swarmage.supervisor.sign_of_life import EVERY_SECONDS, SignOfLife
from swarmage.supervisor.slot import Slot, drone_slots
from swarmage.supervisor.vigil import SILENCE_SECONDS, Vigil
from swarmage.supervisor.waiting import next_event

from ..fakes import FakeClock


class Counting(SignOfLife):
    """Counts the signs that are given."""

    def __init__(self) -> None:
        super().__init__(environment={})
        self.beats = 0

    def beat(self) -> None:
        self.beats += 1


class Watched:
    """Two children that have booted."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.sign = Counting()
        self.slots = drone_slots(["some_target"], 2, {}, random.Random())
        self.vigil = Vigil(self.slots, self.sign, self.clock)
        for slot in self.slots:
            slot.became_ready()
            self.vigil.heard(slot)
        self.vigil.ready()

    def beats_after(self, seconds: float, *heard: Slot, stopping: bool = False) -> int:
        """Return how many signs are given while so much time passes and these are heard of."""
        before = self.sign.beats
        for _ in range(round(seconds / EVERY_SECONDS)):
            self.clock.advance(EVERY_SECONDS)
            for slot in heard:
                self.vigil.heard(slot)
            self.vigil.look(self.clock.now, stopping=stopping)
        return self.sign.beats - before


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_sign_is_given_when_it_is_time_while_all_are_heard_of(watched: Watched) -> None:
    assert watched.sign.beats == 1  # ready
    watched.vigil.look(watched.clock.now, stopping=False)
    assert watched.sign.beats == 1
    assert watched.beats_after(60 * EVERY_SECONDS, *watched.slots) == 60


def test_before_all_are_ready_none_is_given() -> None:
    sign = Counting()
    vigil = Vigil(drone_slots(["some_target"], 1, {}, random.Random()), sign, FakeClock())
    vigil.look(10_000.0, stopping=False)
    assert (vigil.look_at, sign.beats) == (None, 0)


def test_one_silent_child_withholds_it_until_it_is_heard_of_again(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = watched.slots
    assert watched.beats_after(SILENCE_SECONDS, first) == SILENCE_SECONDS / EVERY_SECONDS
    assert watched.beats_after(100.0, first) == 0
    assert caplog.text.count("drone-2 has not been heard of for 30 s") == 1
    assert "drone-1" not in caplog.text
    assert watched.beats_after(EVERY_SECONDS, first, second) == 1


def test_a_child_that_ended_or_was_drained_is_not_silent(watched: Watched) -> None:
    first, second = watched.slots
    second.ended()
    assert watched.beats_after(100.0, first) == 100.0 / EVERY_SECONDS
    second.became_ready()
    second.drained = True
    assert watched.beats_after(100.0, first) == 100.0 / EVERY_SECONDS


def test_who_drains_need_not_beat(watched: Watched) -> None:
    assert watched.beats_after(100.0, stopping=True) == 100.0 / EVERY_SECONDS


def test_a_child_that_was_replaced_before_it_said_anything_is_not_silent(watched: Watched) -> None:
    third = drone_slots(["some_target"], 1, {}, random.Random())[0]
    third.became_ready()
    vigil = Vigil([third], watched.sign, watched.clock)
    vigil.ready()
    watched.clock.advance(100.0)
    before = watched.sign.beats
    vigil.look(watched.clock.now, stopping=False)
    assert watched.sign.beats == before + 1


def test_what_happens_comes_before_a_deadline_that_has_passed() -> None:
    events: SimpleQueue[Event] = SimpleQueue()
    events.put(StopAsked())
    clock = FakeClock()
    assert next_event(events, [clock.now - 1.0, None], clock) == StopAsked()
    assert next_event(events, [clock.now - 1.0, None], clock) == DeadlinePassed()
