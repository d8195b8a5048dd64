from __future__ import annotations

import random

from swarmage.drone.supervision.restarts import LONGEST_SECONDS, Backoff, Intensity

from ...seeds import SEED


def test_so_many_restarts_within_a_period_are_borne_and_no_more() -> None:
    intensity = Intensity(2, 10.0)
    assert [intensity.bears(now) for now in (100.0, 101.0, 109.0)] == [True, True, False]


def test_restarts_of_long_ago_do_not_count() -> None:
    intensity = Intensity(2, 10.0)
    assert all(intensity.bears(now) for now in (100.0, 105.0, 110.0, 115.0, 120.0))


def test_an_intensity_of_nothing_bears_no_restart() -> None:
    assert not Intensity(0, 10.0).bears(100.0)


def test_without_a_limit_everything_is_borne() -> None:
    intensity = Intensity(None, 10.0)
    assert all(intensity.bears(100.0) for _ in range(1000))


def test_the_wait_doubles_up_to_the_longest_and_is_spread() -> None:
    rng, backoff = random.Random(SEED), Backoff()
    waits = [backoff.after(100.0, 60.0, rng) for _ in range(9)]
    for wait, middle in zip(waits, (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0), strict=True):
        assert 0.75 * middle <= wait <= 1.25 * middle
    assert LONGEST_SECONDS == 5.0
    firsts = {Backoff().after(100.0, 60.0, rng) for _ in range(20)}
    assert len(firsts) > 1


def test_what_was_sound_for_long_begins_with_a_short_wait_again() -> None:
    rng, backoff = random.Random(SEED), Backoff()
    for _ in range(6):
        backoff.after(100.0, 60.0, rng)
    assert backoff.after(159.9, 60.0, rng) > 1.0
    assert backoff.after(300.0, 60.0, rng) <= 0.125
