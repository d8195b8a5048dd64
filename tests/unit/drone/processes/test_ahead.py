from __future__ import annotations

import random
import threading

from swarmage.drone.processes.ahead import MOST, SHORT, Ahead, Pace, take
from swarmage.wire.pipe import Perform, unpack

from ...fakes import SECONDS
from ...seeds import SEED


def paced(seconds: float, times: int = 100) -> Pace:
    pace = Pace()
    for _ in range(times):
        pace.observe(seconds)
    return pace


def test_nothing_is_given_ahead_until_tasks_have_proved_short() -> None:
    assert Pace().room() == 0
    assert paced(SHORT / 100, 10).room() == 0
    assert paced(SHORT / 100).room() == MOST
    assert 0 < paced(SHORT * 0.9).room() < MOST
    assert paced(SHORT * 2).room() == 0


def test_no_time_at_all_is_short() -> None:
    assert paced(0.0).room() == MOST


def test_one_long_task_ends_it() -> None:
    pace = paced(SHORT / 100)
    pace.observe(1.0)
    assert pace.room() == 0


def test_a_task_is_taken_or_taken_back_and_never_both() -> None:
    rng = random.Random(SEED)
    ahead = Ahead()
    taken: list[bytes] = []
    back: list[int] = []
    given = 0
    done = threading.Event()

    def work() -> None:
        while not done.is_set() or len(taken) + len(back) < given:
            one = take(ahead.far)
            if one is not None:
                taken.append(one)

    thread = threading.Thread(target=work)
    thread.start()
    for _ in range(2000):
        if rng.random() < 0.7:
            given += ahead.give(Perform(b"x" * rng.randrange(100), number=given + 1))
        else:
            back += ahead.take_back()
    back += ahead.take_back()
    done.set()
    thread.join(SECONDS)
    assert not thread.is_alive()
    assert sorted(back + [unpack(one).number for one in taken]) == list(range(1, given + 1))
    ahead.close()


def test_what_does_not_fit_is_not_given() -> None:
    ahead = Ahead()
    count = 0
    while ahead.give(Perform(b"x" * 4000)):
        count += 1
    assert count > 5
    assert len(ahead.take_back()) == count
    ahead.close()
