"""When a failed task is tried again."""

from __future__ import annotations

import builtins
import random
from dataclasses import dataclass, replace

from swarmage.errors import ConfigError
from swarmage.task import LONGEST_DELAY

STRATEGIES = ("exponential", "linear", "constant")
Errors = tuple[type[BaseException], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Backoff with jitter, and two caps: on failures and on crashes.

    The wait before attempt n+1 is ``first * 2**(n-1)`` seconds, at most ``longest``, spread by ``jitter`` to both
    sides, so that tasks that failed together do not come back together.

    Attributes:
        retries: how many more times after the first; 0 = never again.
        first: seconds before the first retry.
        longest: seconds; no wait is longer.
        jitter: share of the wait, 0 to 1.
        strategy: how the wait grows: ``exponential``, doubled each time; ``linear``, by ``first`` each time;
            ``constant``.
        retry_on: errors worth another attempt; subclasses count.
        give_up_on: errors that are not, whatever `retry_on` says.
        give_up_after: seconds since the insert after which nothing is tried again; None = no limit.
        crashes: how often what performs the task may die of it; None = any number.
    """

    retries: int = 3
    first: float = 1.0
    longest: float = 600.0
    jitter: float = 0.25
    strategy: str = "exponential"
    retry_on: Errors = (BaseException,)
    give_up_on: Errors = ()
    give_up_after: float | None = None
    crashes: int | None = 3

    def __post_init__(self) -> None:
        if type(self.retries) is not int or self.retries < 0:
            raise ConfigError(f"retries must be a whole number, 0 or more: {self.retries!r}")
        if not 0 <= self.first <= self.longest <= LONGEST_DELAY / 2:
            raise ConfigError(
                f"backoff must be 0 <= first <= longest <= five years, in seconds: {self.first!r}, {self.longest!r}"
            )
        if not 0 <= self.jitter <= 1:
            raise ConfigError(f"jitter must be between 0 and 1: {self.jitter!r}")
        if self.strategy not in STRATEGIES:
            raise ConfigError(f"strategy must be one of {', '.join(STRATEGIES)}: {self.strategy!r}")
        for name, errors in (("retry_on", self.retry_on), ("give_up_on", self.give_up_on)):
            if type(errors) is not tuple or not all(_is_error(one) for one in errors):
                raise ConfigError(f"{name} must be a tuple of exception types, such as (OSError,): {errors!r}")
        if self.give_up_after is not None and not self.give_up_after > 0:
            raise ConfigError(f"give_up_after must be more than 0 seconds: {self.give_up_after!r}")
        if self.crashes is not None and (type(self.crashes) is not int or self.crashes < 1):
            raise ConfigError(f"crashes must be a whole number, 1 or more, or None: {self.crashes!r}")

    def delay_after(self, attempt: int, rng: random.Random) -> float | None:
        """Return the seconds to wait after this attempt failed, or None when it was the last."""
        return None if attempt > self.retries else self.wait_after(attempt, rng)

    def wait_after(self, attempt: int, rng: random.Random) -> float:
        """Return the seconds to wait after this attempt, be it the last or not."""
        match self.strategy:
            case "exponential":
                wait = self.first * 2.0 ** min(attempt - 1, 60)
            case "linear":
                wait = self.first * attempt
            case _:
                wait = self.first
        return min(self.longest, wait) * (1.0 + self.jitter * rng.uniform(-1.0, 1.0))

    def tries_again_on(self, raised: type[BaseException] | None, kind: str) -> bool:
        """Say whether an error is worth another attempt.

        Args:
            raised: the error's type, None when it was raised in another process.
            kind: the name of its type, which is all that is known then.
        """
        if self.retry_on == (BaseException,) and not self.give_up_on:
            return True
        return _is_one_of(raised, kind, self.retry_on) and not _is_one_of(raised, kind, self.give_up_on)

    def with_own(self, retries: int | None, backoff: float | None) -> RetryPolicy:
        """Return the policy for a task that brought settings of its own."""
        if retries is None and backoff is None:
            return self
        first = self.first if backoff is None else backoff
        return replace(
            self,
            retries=self.retries if retries is None else retries,
            first=first,
            longest=max(first, self.longest),
        )


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def _is_one_of(raised: type[BaseException] | None, kind: str, errors: Errors) -> bool:
    if raised is None:  # a type of Python's own can be had by its name, and with it what it is a subclass of
        found = getattr(builtins, kind, None)
        raised = found if isinstance(found, type) and issubclass(found, BaseException) else None
    if raised is not None:
        return issubclass(raised, errors)
    return Exception in errors or BaseException in errors or kind in {one.__qualname__ for one in errors}
