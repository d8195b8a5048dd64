from __future__ import annotations

from swarmage.drone.credit import ENOUGH, LONG, SHORT, Credit


def observed(seconds: float, times: int = ENOUGH) -> Credit:
    credit = Credit(4)
    for _ in range(times):
        credit.observe(seconds)
    return credit


def test_at_first_nothing_extra_is_wanted() -> None:
    assert not Credit(4).wanted()


def test_short_tasks_earn_extra_credit_after_enough_of_them() -> None:
    assert not observed(SHORT / 2, ENOUGH - 1).wanted()
    assert observed(SHORT / 2).wanted()


def test_long_tasks_earn_none() -> None:
    assert not observed(LONG * 2).wanted()


def test_tasks_in_between_change_nothing() -> None:
    credit = observed((SHORT + LONG) / 2)
    assert not credit.wanted()
    credit.extra = True
    assert credit.wanted()


def test_tasks_that_turn_long_lose_it_and_must_prove_short_again() -> None:
    credit = observed(SHORT / 10)
    credit.extra = credit.wanted()
    for _ in range(ENOUGH * 4):
        credit.observe(LONG * 5)
    credit.extra = credit.wanted()
    assert not credit.extra
    credit.observe(SHORT / 10)
    assert not credit.wanted()
    for _ in range(ENOUGH):
        credit.observe(SHORT / 10)
    assert credit.wanted()


def test_one_long_task_among_many_short_ones_does_not_lose_it() -> None:
    credit = observed(SHORT / 10, 1000)
    credit.extra = True
    credit.observe(LONG)
    assert credit.wanted()


def test_a_stall_loses_it_at_once() -> None:
    credit = observed(SHORT / 10)
    credit.extra = True
    assert not credit.wanted(stalled=True)
    credit.extra = False
    assert not credit.wanted()
