from __future__ import annotations

import pytest

from swarmage.drone.credit import ENOUGH, EXTRAS, MOST, Credit, Extra

FEW, SOME, MANY = EXTRAS


def observed(seconds: float, times: int = ENOUGH, held: Extra | None = None) -> Credit:
    credit = Credit(4)
    credit.held = held
    for _ in range(times):
        credit.observe(seconds)
    return credit


def test_at_first_nothing_extra_is_wanted() -> None:
    assert Credit(4).wanted() is None


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_shorter_the_tasks_the_more_is_taken_ahead(extra: Extra) -> None:
    assert observed(extra.below * 0.9).wanted() is extra


def test_it_is_judged_when_there_have_been_enough() -> None:
    assert observed(MANY.below / 2, ENOUGH - 1).wanted() is None


def test_long_tasks_earn_none() -> None:
    assert observed(FEW.until * 2).wanted() is None


@pytest.mark.parametrize("extra", EXTRAS)
def test_tasks_in_between_change_nothing(extra: Extra) -> None:
    seconds = (extra.below + extra.until) / 2
    assert observed(seconds).wanted() is not extra
    assert observed(seconds, held=extra).wanted() is extra


def test_tasks_that_turn_a_little_longer_lose_a_part_of_it() -> None:
    assert observed(MANY.until * 1.1, held=MANY).wanted() is SOME
    assert observed(SOME.until * 1.1, held=MANY).wanted() is FEW


def test_what_is_ahead_is_performed_before_it_would_be_given_back_as_stuck() -> None:
    assert all((extra.ahead + 1) * extra.until < 0.2 for extra in (FEW, SOME))


def test_there_is_a_most() -> None:
    assert [extra.tasks(8) for extra in EXTRAS] == [16, 64, MOST]
    assert [extra.tasks(1000) for extra in EXTRAS] == [MOST] * 3


def test_tasks_that_turn_long_lose_it_and_must_prove_short_again() -> None:
    credit = observed(MANY.below / 10)
    credit.held = credit.wanted()
    assert credit.short
    for _ in range(ENOUGH * 4):
        credit.observe(FEW.until * 2)
    credit.held = credit.wanted()
    assert credit.held is None
    credit.observe(MANY.below / 10)
    assert credit.wanted() is None
    for _ in range(ENOUGH):
        credit.observe(MANY.below / 10)
    assert credit.wanted() is MANY


def test_one_long_task_among_many_short_ones_does_not_lose_it() -> None:
    credit = observed(MANY.below / 10, 1000, MANY)
    credit.observe(MANY.until)
    assert credit.wanted() is MANY


def test_a_stall_loses_it_at_once() -> None:
    credit = observed(MANY.below / 10, held=MANY)
    credit.held = credit.wanted(stalled=True)
    assert credit.held is None
    assert credit.wanted() is None
