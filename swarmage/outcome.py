"""How a performed task ended. Outcomes are data; `drone.finalize` is the one place that acts on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, in words that can travel.

    Attributes:
        kind: name of the exception's type.
        message: its text.
        traceback: its traceback as text, empty where no user code was running.
    """

    kind: str
    message: str
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The ability returned."""

    result: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """The ability raised, or ran out of time: worth another attempt as far as its policy goes.

    Attributes:
        failure: what went wrong.
        raised: the exception's type, where it was raised in this process: policies look at what it is a subclass of.
        delay: seconds until the next attempt, where the task said so itself.
    """

    failure: Failure
    raised: type[BaseException] | None = None
    delay: float | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Another attempt would end the same way: straight to the dead letters.

    Attributes:
        reason: one of the reasons that docs/wire-format.md lists, or the task's own.
    """

    reason: str
    failure: Failure


@dataclass(frozen=True, slots=True)
class Discarded:
    """The task said that it is of no use any more: no other attempt, and no dead letter."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Crashed:
    """What performed the task died of it: worth another attempt as far as the cap on crashes goes."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Skipped:
    """A local task that was not begun because its tree had failed already."""


Unsuccessful = Failed | Rejected | Discarded | Crashed
Outcome = Succeeded | Unsuccessful | Skipped
