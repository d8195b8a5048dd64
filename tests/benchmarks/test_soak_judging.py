"""Whether growth is found: in series that were made, flat, noisy, growing and jumping."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from benchmarks.soak.__main__ import Plan
from benchmarks.soak.judging import FEWEST, MOST, Limit, Point, judge, judge_all, slope, thinned
from benchmarks.soak.swarm import LIMITS
from tests.unit.seeds import SEED

LIMIT = Limit(per_hour=8.0, floor=4.0, unit="MB")
HOUR = 3600.0


def series(value: Callable[[float], float], seconds: float = HOUR, every: float = 10.0) -> list[Point]:
    return [Point(number * every, value(number * every)) for number in range(int(seconds / every) + 1)]


def noise() -> random.Random:
    print(f"SWARMAGE_SEED={SEED}")
    return random.Random(SEED)


def test_what_stays_the_same_is_good() -> None:
    verdict = judge("bus: memory", series(lambda _: 50.0), LIMIT)
    assert (verdict.per_hour, verdict.grown, verdict.good) == (0.0, 0.0, True)


def test_a_slow_leak_below_the_noise_is_found() -> None:
    dice = noise()
    verdict = judge("bus: memory", series(lambda time: 50 + 16 * time / HOUR + dice.gauss(0, 2)), LIMIT)
    assert verdict.per_hour == pytest.approx(16, abs=2)
    assert not verdict.good
    assert verdict.first < verdict.last
    assert "bus: memory grows by 1" in str(verdict)
    assert "MB an hour" in str(verdict)


def test_noise_alone_is_good() -> None:
    dice = noise()
    assert judge("bus: memory", series(lambda _: 50 + dice.gauss(0, 5)), LIMIT).good


def test_growth_that_ends_in_a_plateau_early_is_good_and_one_without_end_is_not() -> None:
    assert judge("m", series(lambda time: min(time / 100, 20.0), seconds=3 * HOUR), LIMIT).good
    assert not judge("m", series(lambda time: time / 100, seconds=3 * HOUR), LIMIT).good


def test_single_figures_that_are_far_off_change_nothing() -> None:
    assert judge("m", series(lambda time: 500.0 if time > 0.9 * HOUR and time % 50 == 0 else 50.0), LIMIT).good


def test_what_is_written_and_cleared_again_and_again_is_good() -> None:
    assert judge("store", series(lambda time: 64 + time % 300 / 300 * 12), LIMITS["store"]).good


def test_in_a_short_run_growth_below_the_floor_is_good_however_steep() -> None:
    def steep(seconds: float) -> list[Point]:
        return series(lambda time: time / 20, seconds=seconds, every=1.0)

    assert judge("m", steep(60), LIMIT).good
    assert not judge("m", steep(120), LIMIT).good
    assert judge("m", steep(120), LIMIT, slack=2).good


def test_what_shrinks_is_good() -> None:
    verdict = judge("m", series(lambda time: 100 - time / 100), LIMIT)
    assert verdict.grown < 0
    assert verdict.good


def test_many_figures_are_thinned_and_tell_the_same() -> None:
    many = series(lambda time: time / 100, seconds=10 * HOUR, every=1.0)
    assert len(thinned(many)) <= MOST
    assert slope(many) == pytest.approx(0.01)


def test_too_few_figures_are_refused_by_name() -> None:
    points = series(lambda _: 1.0, seconds=10.0 * (FEWEST - 2))
    with pytest.raises(ValueError, match="bus: memory: 5 figures tell no slope, 6 do"):
        judge_all({"bus: memory": points}, LIMITS, warm_up=0.0)


def test_figures_of_the_warm_up_do_not_count() -> None:
    grown = {"bus: files": series(lambda time: min(time, 1000.0))}
    assert judge_all(grown, LIMITS, warm_up=1000.0)[0].good
    assert not judge_all({"bus: files": series(lambda time: time)}, LIMITS, warm_up=1000.0)[0].good


@pytest.mark.parametrize(
    ("seconds", "rate", "warm_up"), [(36_000, 300, 300.0), (600, 300, 150.0), (600, 100, 250.0), (60, 100, 30.0)]
)
def test_the_warm_up_is_for_time_and_for_tasks_and_leaves_half_of_the_run(
    seconds: float, rate: float, warm_up: float
) -> None:
    assert Plan(seconds=seconds, rate=rate, every=5.0, slack=1.0, faults=None).warm_up == warm_up
