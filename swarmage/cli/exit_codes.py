"""How a command ended, as a number for scripts."""

from __future__ import annotations

from swarmage.errors import BusError, ConfigError, DeadlineExceeded, SwarmageError

FAILED = 1
USAGE = 2
NO_BUS = 3
TIMED_OUT = 4
INTERRUPTED = 130

_CODES: tuple[tuple[type[SwarmageError], int], ...] = (
    (ConfigError, USAGE),
    (BusError, NO_BUS),
    (DeadlineExceeded, TIMED_OUT),
)


def exit_code_of(error: SwarmageError) -> int:
    """Return the exit code that says what kind of error it was."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)
