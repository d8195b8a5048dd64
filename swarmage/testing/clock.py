"""A clock that tests move on."""

from __future__ import annotations

from swarmage.clock import SYSTEM_CLOCK


class AdvancingClock:
    """Runs as the machine's clock does, and jumps ahead when told to: so every wait still ends by itself."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def wall(self) -> float:
        """Return seconds since the epoch."""
        return SYSTEM_CLOCK.wall() + self._ahead

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        return SYSTEM_CLOCK.monotonic() + self._ahead

    def advance(self, seconds: float) -> None:
        """Jump ahead."""
        self._ahead += seconds
