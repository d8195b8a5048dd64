from __future__ import annotations

import random

from swarmage.supervisor.restarts import INTENSITY, LONGEST_SECONDS, PERIOD_SECONDS, Restart, Restarts


class Middle(random.Random):
    """Randomness that takes nothing off and puts nothing on."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


def end_at_once(restarts: Restarts, times: int, now: float = 1000.0) -> list[Restart]:
    decisions = []
    for _ in range(times):
        restarts.started(now)
        decisions.append(restarts.ended(now))
        now += decisions[-1].delay
    return decisions


def test_each_restart_waits_twice_as_long_as_the_one_before() -> None:
    assert [restart.delay for restart in end_at_once(Restarts(Middle()), 4)] == [0.1, 0.2, 0.4, 0.8]


def test_restarts_are_spread_so_that_drones_that_ended_together_do_not_start_together() -> None:
    delays = {Restarts(random.Random(seed)).ended(0.0).delay for seed in range(20)}
    assert len(delays) == 20
    assert 0.05 < min(delays) < max(delays) < 0.15


def test_too_many_restarts_raise_an_alarm_and_keep_the_longest_wait() -> None:
    decisions = end_at_once(Restarts(Middle()), INTENSITY + 1)
    assert not any(restart.alarm for restart in decisions[:-1])
    assert decisions[-1] == Restart(LONGEST_SECONDS, alarm=True)


def test_no_wait_is_longer_than_the_longest() -> None:
    assert max(restart.delay for restart in end_at_once(Restarts(random.Random(7)), 50)) == LONGEST_SECONDS


def test_a_child_that_stayed_up_starts_afresh() -> None:
    restarts = Restarts(Middle())
    end_at_once(restarts, 4, now=0.0)
    restarts.started(10.0)
    assert restarts.ended(10.0 + PERIOD_SECONDS) == Restart(0.1, alarm=False)
