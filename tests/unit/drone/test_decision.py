from __future__ import annotations

import random
from typing import Any

import pytest

from swarmage.drone.decision import Again, Bury, Drop, decide
from swarmage.errors import Retry
from swarmage.outcome import Crashed, Discarded, Failed, Failure, Rejected, Unsuccessful
from swarmage.retry import RetryPolicy
from swarmage.task import LONGEST_DELAY, Task

NOW = 1_700_000_000.0
FAILURE = Failure("OSError", "boo")
FAILED = Failed(FAILURE, OSError)


def decided(ending: Unsuccessful, policy: RetryPolicy | None = None, **fields: Any) -> Again | Drop | Bury:
    task = Task(task_class="a", id="t", **{"issued": NOW, **fields})
    return decide(task, ending, policy or RetryPolicy(first=10.0, jitter=0.0), NOW, random.Random(1))


def test_what_failed_is_sent_again_after_its_wait() -> None:
    decision = decided(FAILED, attempt=2)
    assert isinstance(decision, Again)
    assert (decision.copy.id, decision.copy.attempt, decision.copy.delay) == ("t", 3, 20.0)


def test_the_last_attempt_is_buried() -> None:
    decision = decided(FAILED, attempt=4)
    assert isinstance(decision, Bury)
    assert (decision.reason, decision.task.attempt) == ("failed", 4)


@pytest.mark.parametrize("policy", [{"retry_on": (ValueError,)}, {"give_up_on": (Exception,)}])
def test_an_error_that_the_policy_does_not_retry_is_buried(policy: dict[str, Any]) -> None:
    assert decided(FAILED, RetryPolicy(**policy)) == Bury("failed", Task(task_class="a", id="t", issued=NOW))


@pytest.mark.parametrize(("delay", "waits"), [(None, 10.0), (3.5, 3.5), (0.0, 0.0), (1e300, LONGEST_DELAY)])
def test_a_task_that_asks_for_a_retry_gets_it_whatever_the_policy_says_of_errors(
    delay: float | None, waits: float
) -> None:
    policy = RetryPolicy(first=10.0, jitter=0.0, retry_on=(ValueError,), give_up_on=(Exception,))
    decision = decided(Failed(FAILURE, Retry, delay), policy)
    assert isinstance(decision, Again)
    assert (decision.copy.attempt, decision.copy.delay) == (2, waits)


def test_asking_for_a_retry_counts_as_an_attempt() -> None:
    assert isinstance(decided(Failed(FAILURE, Retry, 0.0), attempt=4), Bury)


def test_what_is_rejected_is_buried_with_its_reason_and_what_is_discarded_is_not() -> None:
    rejected = decided(Rejected("no such page", FAILURE))
    assert isinstance(rejected, Bury)
    assert rejected.reason == "no such page"
    assert isinstance(decided(Discarded(FAILURE)), Drop)


def test_crashes_have_a_cap_of_their_own() -> None:
    crashed = Crashed(Failure("Crashed", "signal 9"))
    decision = decided(crashed, RetryPolicy(retries=0, jitter=0.0), crashes=1)
    assert isinstance(decision, Again)
    assert (decision.copy.attempt, decision.copy.crashes, decision.copy.delay) == (1, 2, 2.0)
    decision = decided(crashed, crashes=2)
    assert isinstance(decision, Bury)
    assert (decision.reason, decision.task.crashes) == ("crashed", 3)
    assert isinstance(decided(crashed, RetryPolicy(crashes=None), crashes=1000), Again)


@pytest.mark.parametrize(
    ("policy", "fields", "again"),
    [
        ({"give_up_after": 10.5}, {}, True),
        ({"give_up_after": 9.5}, {}, False),
        ({"give_up_after": 9.5}, {"issued": 0.0}, True),  # nobody knows since when
        ({}, {"deadline": NOW + 10.5}, True),
        ({}, {"deadline": NOW + 9.5}, False),
    ],
)
@pytest.mark.parametrize("ending", [FAILED, Crashed(FAILURE)])
def test_nothing_is_tried_again_later_than_it_is_wanted(
    ending: Any, policy: dict[str, Any], fields: dict[str, Any], again: bool
) -> None:
    decision = decided(ending, RetryPolicy(first=10.0, jitter=0.0, **policy), **fields)
    assert isinstance(decision, Again) is again
