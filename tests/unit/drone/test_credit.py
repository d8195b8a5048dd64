from __future__ import annotations

import pytest

from swarmage.drone.credit import ENOUGH, EXTRAS, MOST, Credit, Extra

FEW, SOME, MANY = EXTRAS


def observed(seconds: float, times: int = ENOUGH, held: frozenset[Extra] = frozenset()) -> Credit:
    credit = Credit(4)
    credit.held = held
    for _ in range(times):
        credit.observe(seconds)
    return credit


def test_at_first_nothing_extra_is_wanted() -> None:
    assert Credit(4).wanted() == frozenset()


@pytest.mark.parametrize(
    ("seconds", "wanted"), [(MANY.below, {FEW, SOME, MANY}), (SOME.below, {FEW, SOME}), (FEW.below, {FEW})]
)
def test_the_shorter_the_tasks_the_more_is_taken_ahead(seconds: float, wanted: set[Extra]) -> None:
    assert observed(seconds * 0.9).wanted() == wanted


def test_it_is_judged_when_there_have_been_enough() -> None:
    assert observed(MANY.below / 2, ENOUGH - 1).wanted() == frozenset()


def test_long_tasks_earn_none() -> None:
    assert observed(FEW.until * 2).wanted() == frozenset()


@pytest.mark.parametrize("extra", EXTRAS)
def test_tasks_in_between_change_nothing(extra: Extra) -> None:
    seconds = (extra.below + extra.until) / 2
    assert extra not in observed(seconds).wanted()
    assert extra in observed(seconds, held=frozenset({extra})).wanted()


def test_what_is_ahead_is_performed_before_it_would_be_given_back_as_stuck() -> None:
    assert all((extra.ahead + 1) * extra.until < 0.2 for extra in (FEW, SOME))


def test_there_is_a_most() -> None:
    assert [extra.tasks(8) for extra in EXTRAS] == [16, 48, MOST]
    assert [extra.tasks(1000) for extra in EXTRAS] == [MOST] * 3


def test_tasks_that_turn_long_lose_it_and_must_prove_short_again() -> None:
    credit = observed(MANY.below / 10)
    credit.held = credit.wanted()
    assert credit.short
    for _ in range(ENOUGH * 4):
        credit.observe(FEW.until * 2)
    credit.held = credit.wanted()
    assert not credit.held
    credit.observe(MANY.below / 10)
    assert not credit.wanted()
    for _ in range(ENOUGH):
        credit.observe(MANY.below / 10)
    assert credit.wanted() == {*EXTRAS}


def test_one_long_task_among_many_short_ones_does_not_lose_it() -> None:
    credit = observed(MANY.below / 10, 1000, frozenset(EXTRAS))
    credit.observe(MANY.until)
    assert credit.wanted() == {*EXTRAS}


def test_a_stall_loses_it_at_once() -> None:
    credit = observed(MANY.below / 10, held=frozenset(EXTRAS))
    credit.held = credit.wanted(stalled=True)
    assert not credit.held
    assert not credit.wanted()
