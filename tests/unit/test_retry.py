from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import strategies as st

from swarmage.errors import ConfigError
from swarmage.retry import RetryPolicy

from .seeds import random_inputs, rng


def test_waits_double_up_to_the_longest() -> None:
    policy = RetryPolicy(retries=6, first=1.0, longest=10.0, jitter=0.0)
    assert [policy.delay_after(attempt, rng()) for attempt in range(1, 8)] == [1, 2, 4, 8, 10, 10, None]


def test_without_retries_the_first_attempt_is_the_last() -> None:
    assert RetryPolicy(retries=0).delay_after(1, rng()) is None


def test_the_last_retry_is_still_granted() -> None:
    policy = RetryPolicy(retries=3)
    assert policy.delay_after(3, rng()) is not None
    assert policy.delay_after(4, rng()) is None


def test_a_million_attempts_do_not_overflow() -> None:
    policy = RetryPolicy(retries=10**6, first=1.0, longest=600.0, jitter=0.0)
    assert policy.delay_after(10**6, rng()) == 600.0


@random_inputs(st.integers(0, 2**32), st.integers(1, 20), st.floats(0, 1))
def test_jitter_stays_within_its_share_to_both_sides(seed: int, attempt: int, jitter: float) -> None:
    wait = RetryPolicy(retries=20, jitter=jitter).delay_after(attempt, random.Random(seed))
    plain = min(600.0, 2.0 ** (attempt - 1))
    assert wait is not None
    assert plain * (1 - jitter) - 1e-9 <= wait <= plain * (1 + jitter) + 1e-9


def test_tasks_that_failed_together_do_not_come_back_together() -> None:
    source = rng()
    waits = [RetryPolicy(jitter=0.25).delay_after(1, source) for _ in range(200)]
    assert len(set(waits)) > 100
    assert min(w for w in waits if w is not None) < 0.85
    assert max(w for w in waits if w is not None) > 1.15


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ({"retries": -1}, "retries"),
        ({"retries": 1.5}, "retries"),
        ({"retries": None}, "retries"),
        ({"first": -1.0}, "backoff"),
        ({"first": float("nan")}, "backoff"),
        ({"first": 2.0, "longest": 1.0}, "backoff"),
        ({"jitter": 1.01}, "jitter"),
        ({"jitter": -0.01}, "jitter"),
        ({"jitter": float("nan")}, "jitter"),
        ({"retries": True}, "retries"),
        ({"strategy": "quadratic"}, "strategy must be one of exponential, linear, constant"),
        ({"retry_on": OSError}, "retry_on"),
        ({"retry_on": ("OSError",)}, "retry_on"),
        ({"retry_on": [OSError]}, "retry_on"),
        ({"give_up_on": (int,)}, "give_up_on"),
        ({"give_up_after": 0.0}, "give_up_after"),
        ({"give_up_after": float("nan")}, "give_up_after"),
        ({"crashes": 0}, "crashes"),
        ({"crashes": -3}, "crashes"),
        ({"crashes": 2.5}, "crashes"),
    ],
)
def test_a_wrong_setting_is_named(setting: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        RetryPolicy(**setting)


def test_no_wait_is_longer_than_a_task_can_be_delayed() -> None:
    with pytest.raises(ConfigError, match="backoff"):
        RetryPolicy(first=1e12, longest=1e12)


@pytest.mark.parametrize(
    ("strategy", "waits"), [("exponential", [2, 4, 8, 10]), ("linear", [2, 4, 6, 8]), ("constant", [2, 2, 2, 2])]
)
def test_a_strategy_says_how_the_wait_grows(strategy: str, waits: list[float]) -> None:
    policy = RetryPolicy(retries=4, first=2.0, longest=10.0, jitter=0.0, strategy=strategy)
    assert [policy.delay_after(attempt, rng()) for attempt in range(1, 5)] == waits


class Own(OSError):
    pass


class Foreign(Exception):
    pass


@pytest.mark.parametrize(
    ("policy", "raised", "again"),
    [
        ({}, SystemExit, True),
        ({"retry_on": (OSError,)}, ConnectionResetError, True),
        ({"retry_on": (OSError,)}, Own, True),
        ({"retry_on": (OSError,)}, ValueError, False),
        ({"retry_on": (Own,)}, OSError, False),
        ({"retry_on": (OSError,), "give_up_on": (FileNotFoundError,)}, FileNotFoundError, False),
        ({"retry_on": (OSError,), "give_up_on": (FileNotFoundError,)}, PermissionError, True),
        ({"give_up_on": (ValueError,)}, UnicodeDecodeError, False),
        ({"give_up_on": (ValueError,)}, OSError, True),
        ({"retry_on": ()}, OSError, False),
    ],
)
def test_errors_are_looked_at_with_what_they_are_subclasses_of(
    policy: dict[str, Any], raised: type[BaseException], again: bool
) -> None:
    assert RetryPolicy(**policy).tries_again_on(raised, raised.__qualname__) is again
    if raised is not Own:  # of another process only the name is known, which tells all of Python's own types
        assert RetryPolicy(**policy).tries_again_on(None, raised.__qualname__) is again


@pytest.mark.parametrize(
    ("policy", "again"),
    [
        ({"retry_on": (Foreign,)}, True),
        ({"retry_on": (Exception,)}, True),
        ({"retry_on": (OSError,)}, False),
        ({"give_up_on": (Foreign,)}, False),
        ({"give_up_on": (OSError,)}, True),
    ],
)
def test_an_error_of_another_process_is_looked_at_by_its_name(policy: dict[str, Any], again: bool) -> None:
    assert RetryPolicy(**policy).tries_again_on(None, "Foreign") is again


def test_a_task_may_bring_its_own_count_and_wait() -> None:
    policy = RetryPolicy(retries=3, first=1.0, longest=10.0, jitter=0.5, retry_on=(OSError,))
    assert policy.with_own(None, None) is policy
    own = policy.with_own(0, None)
    assert (own.retries, own.first, own.retry_on) == (0, 1.0, (OSError,))
    own = policy.with_own(None, 60.0)
    assert (own.retries, own.first, own.longest) == (3, 60.0, 60.0)
