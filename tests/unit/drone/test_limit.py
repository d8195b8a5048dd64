from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import pytest

from swarmage.abilities import Ability
from swarmage.drone.limit import AGAIN, CANCEL_AGAIN, TimeLimit, seconds_for, timed_out
from swarmage.errors import TaskCancelled, TaskTimeout
from swarmage.outcome import Failed, Failure
from swarmage.task import Task

from ..fakes import SECONDS, FakeClock


class Spinning:
    """A thread with a time limit that runs until it is told to end, in Python, where a limit strikes."""

    def __init__(self, limit: TimeLimit, clock: FakeClock, seconds: float | None, run: object = None) -> None:
        self.run = run
        self.begun, self.go_on = threading.Event(), True
        self.ended: SimpleQueue[Any] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(limit, clock, seconds))
        self._thread.start()
        assert self.begun.wait(SECONDS)

    def _run(self, limit: TimeLimit, clock: FakeClock, seconds: float | None) -> None:
        try:
            outer = limit.begin(seconds, clock, self.run)
            self.begun.set()
            while self.go_on:
                self.begun.wait(0.001)
            limit.suspend()
            limit.run = None
            limit.resume(outer)
            self.ended.put("in time")
        except TaskTimeout:
            self.ended.put("too late")
        except TaskCancelled:
            self.ended.put("cancelled")

    def end(self) -> Any:
        self.go_on = False
        self._thread.join(SECONDS)
        return self.ended.get(timeout=SECONDS)


def test_a_task_over_its_time_is_ended_where_it_is(clock: FakeClock) -> None:
    limit = TimeLimit()
    task = Spinning(limit, clock, 60.0)
    assert not limit.enforce(clock.now + 59.9)
    assert limit.enforce(clock.now + 60.0)
    assert task.ended.get(timeout=SECONDS) == "too late"


def test_a_limit_strikes_again_after_a_while_and_not_at_once(clock: FakeClock) -> None:
    limit = TimeLimit()
    task = Spinning(limit, clock, 1.0)
    assert [limit.enforce(clock.now + seconds) for seconds in (2.0, 2.5, 3.0)] == [True, False, True]
    assert task.ended.get(timeout=SECONDS) == "too late"


def test_a_task_without_a_limit_runs_as_long_as_it_likes(clock: FakeClock) -> None:
    limit = TimeLimit()
    task = Spinning(limit, clock, None)
    assert not limit.enforce(clock.now + 1e9)
    assert task.end() == "in time"


def test_a_task_in_time_leaves_nothing_behind(clock: FakeClock) -> None:
    limit = TimeLimit()
    assert Spinning(limit, clock, 1.0).end() == "in time"
    assert not limit.enforce(clock.now + 1e9)


def test_a_limit_that_strikes_at_the_very_end_strikes_in_the_task_it_was_for(clock: FakeClock) -> None:
    limit = TimeLimit()
    outer = limit.begin(1.0, clock)
    with pytest.raises(TaskTimeout):
        struck(limit, clock, outer)
    for _ in range(1000):  # and not later
        str(limit)


def struck(limit: TimeLimit, clock: FakeClock, outer: float | None) -> None:
    limit.enforce(clock.now + 1.0)
    limit.suspend()
    limit.resume(outer)


def test_the_limit_of_the_task_that_waits_counts_again_after_the_one_in_between(clock: FakeClock) -> None:
    limit = TimeLimit()
    nothing = limit.begin(10.0, clock)
    outer = limit.begin(None, clock)
    assert not limit.enforce(clock.now + 100.0)
    limit.suspend()
    limit.resume(outer)
    assert limit._deadline == clock.now + 10.0
    limit.suspend()
    limit.resume(nothing)
    assert not limit.enforce(clock.now + 100.0)


def test_no_limit_strikes_while_it_is_suspended(clock: FakeClock) -> None:
    limit = TimeLimit()
    limit.begin(1.0, clock)
    left = limit.suspend()
    assert left == clock.now + 1.0
    assert not limit.enforce(clock.now + 100.0)
    limit.resume(left)
    with pytest.raises(TaskTimeout):
        struck(limit, clock, None)


def test_a_task_that_asks_is_told_at_once_and_again_later_if_it_goes_on(clock: FakeClock) -> None:
    limit = TimeLimit()
    limit.check(clock.now)
    limit.begin(1.0, clock)
    limit.check(clock.now + 0.9)
    with pytest.raises(TaskTimeout):
        limit.check(clock.now + 1.0)
    limit.check(clock.now + 1.0)
    with pytest.raises(TaskTimeout):
        limit.check(clock.now + 1.0 + AGAIN)
    limit.suspend()


@pytest.mark.parametrize(
    ("timeout", "deadline", "left"),
    [(None, None, None), (5.0, None, 5.0), (None, 3.0, 3.0), (5.0, 3.0, 3.0), (2.0, 3.0, 2.0)],
)
def test_a_task_has_until_its_timeout_or_its_deadline(
    clock: FakeClock, timeout: float | None, deadline: float | None, left: float | None
) -> None:
    task = Task(task_class="a", deadline=None if deadline is None else clock.wall() + deadline)
    assert seconds_for(task, timeout, clock) == left


def limited(timeout: float | None) -> Ability[..., Any]:
    return Ability(print, "a", timeout=timeout, bound=False)


def test_the_words_of_a_timeout_say_which_limit_it_was(clock: FakeClock) -> None:
    outcome = Failed(Failure("TaskTimeout", "its own words"), TaskTimeout)
    late = Task(task_class="a", deadline=clock.wall())
    plain = Task(task_class="a")
    assert timed_out(outcome, late, limited(5.0), clock).failure.message == "its deadline passed while it was performed"
    assert timed_out(outcome, plain, limited(5.0), clock).failure.message == "longer than its timeout of 5 s"
    assert timed_out(outcome, plain, limited(None), clock) is outcome


def test_a_cancelled_task_is_ended_where_it_is_with_a_limit_or_without(clock: FakeClock) -> None:
    for seconds in (None, 60.0):
        limit, run = TimeLimit(), object()
        task = Spinning(limit, clock, seconds, run)
        assert limit.cancel(run, clock.now)
        assert task.ended.get(timeout=SECONDS) == "cancelled"


def test_only_the_task_that_was_meant_is_cancelled(clock: FakeClock) -> None:
    limit, run = TimeLimit(), object()
    assert not limit.cancel(run, clock.now)
    task = Spinning(limit, clock, None, object())
    assert not limit.cancel(run, clock.now)
    assert task.end() == "in time"
    assert not limit.cancel(task.run, clock.now)  # it has ended


def test_a_cancelled_task_has_time_to_clean_up(clock: FakeClock) -> None:
    limit, run = TimeLimit(), object()
    task = Spinning(limit, clock, None, run)
    times = (0.0, CANCEL_AGAIN - 0.1, CANCEL_AGAIN)
    assert [limit.cancel(run, clock.now + seconds) for seconds in times] == [True, False, True]
    assert task.ended.get(timeout=SECONDS) == "cancelled"


@pytest.fixture
def _hasty_threads() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_hasty_threads")
def test_no_cancellation_strikes_outside_of_the_task_however_close(clock: FakeClock) -> None:
    limit, stop = TimeLimit(), threading.Event()
    current: list[object] = [None]

    def cancel() -> None:
        while not stop.is_set():
            limit.cancel(current[0], clock.now)

    canceller = threading.Thread(target=cancel)
    canceller.start()
    struck = inside = 0
    try:
        while struck + inside < 20_000 and (struck < 100 or inside < 100):
            current[0] = object()
            try:
                limit.begin(None, clock, current[0])
                for _ in range(20):
                    stop.is_set()
                limit.suspend()
                inside += 1
            except TaskCancelled:
                limit.suspend()
                struck += 1
            for _ in range(20):
                stop.is_set()  # an error here would end the test
    finally:
        stop.set()
        canceller.join(SECONDS)
    assert struck > 0
