"""How a performed task ended. Outcomes are data; `drone.finalize` is the one place that acts on them."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from swarmage.errors import RemoteError

MOST_TEXT = 20_000
"""Characters of an error's text and traceback that are kept."""


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


def describe(error: BaseException, origin: TracebackType | None) -> Failure:
    """Return what can be said of an exception, even one whose own text cannot be had.

    Args:
        error: what was raised.
        origin: the first frame that tells a user something.
    """
    if isinstance(error, RemoteError):  # of a local task, say: its own words, which grow with each level otherwise
        return Failure(error.kind, error.message, error.traceback)
    try:
        message = str(error)
    except BaseException as nested:  # noqa: BLE001 - a foreign __str__ may raise anything
        message = f"<its text cannot be had: {type(nested).__name__}>"
    try:
        text = "".join(traceback.format_exception(type(error), error, origin))
    except BaseException:  # noqa: BLE001 - as above
        text = "".join(traceback.format_tb(origin))
    return Failure(type(error).__qualname__, message[:MOST_TEXT], text[-MOST_TEXT:])


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The ability returned."""

    result: Any


NOTHING = Succeeded(None)
"""The most frequent outcome, made once."""


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
