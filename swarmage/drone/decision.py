"""What becomes of a task that has not succeeded: data, which finalize turns into messages."""

from __future__ import annotations

import random
from typing import NamedTuple

import msgspec

from swarmage.errors import Retry
from swarmage.outcome import Crashed, Discarded, Failed, Rejected, Unsuccessful
from swarmage.retry import RetryPolicy
from swarmage.task import LONGEST_DELAY, Task


class Again(NamedTuple):
    """It is sent again.

    Attributes:
        copy: as what.
    """

    copy: Task


class Drop(NamedTuple):
    """It is neither sent again nor kept."""


class Bury(NamedTuple):
    """It becomes a dead letter.

    Attributes:
        reason: why.
        task: as what it lies there.
    """

    reason: str
    task: Task


Decision = Again | Drop | Bury


def decide(task: Task, ending: Unsuccessful, policy: RetryPolicy, now: float, rng: random.Random) -> Decision:
    """Return what becomes of a task.

    Args:
        task: it, as it was begun.
        ending: how it ended.
        policy: its own, or that of its ability.
        now: seconds since the epoch.
        rng: spreads waits.
    """
    match ending:
        case Discarded():
            return Drop()
        case Rejected(reason):
            return Bury(reason, task)
        case Crashed():
            crashed = msgspec.structs.replace(task, crashes=task.crashes + 1)
            if policy.crashes is not None and crashed.crashes >= policy.crashes:
                return Bury("crashed", crashed)
            again = msgspec.structs.replace(crashed, delay=policy.wait_after(crashed.crashes, rng))
            return Bury("crashed", crashed) if _is_late(again, policy, now) else Again(again)
        case Failed(failure, raised, delay):
            if task.attempt > policy.retries or not (raised is Retry or policy.tries_again_on(raised, failure.kind)):
                return Bury("failed", task)
            wait = policy.wait_after(task.attempt, rng) if delay is None else min(delay, LONGEST_DELAY)
            again = msgspec.structs.replace(task, attempt=task.attempt + 1, delay=wait)
            return Bury("failed", task) if _is_late(again, policy, now) else Again(again)


def _is_late(again: Task, policy: RetryPolicy, now: float) -> bool:
    """Say whether it would begin when nobody wants it any more: a dead letter now tells of the error at least."""
    begins = now + again.delay
    if again.deadline is not None and begins >= again.deadline:
        return True
    return policy.give_up_after is not None and 0 < again.issued < begins - policy.give_up_after
