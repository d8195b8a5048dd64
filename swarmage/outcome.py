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
    """The ability raised, or ran out of time: worth another attempt as far as its policy goes."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Rejected:
    """Another attempt would end the same way: straight to the dead letters.

    Attributes:
        reason: one of the reasons that docs/wire-format.md lists.
    """

    reason: str
    failure: Failure


@dataclass(frozen=True, slots=True)
class Crashed:
    """The process that performed it ended, by itself or by a signal that nobody here sent."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Skipped:
    """A local task that was not begun because its tree had failed already."""


Outcome = Succeeded | Failed | Rejected | Crashed | Skipped
