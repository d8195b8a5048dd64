"""Whether a supervisor's children are still heard of, and signs of life for as long as they are."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from swarmage.clock import Clock
from swarmage.supervisor.sign_of_life import SignOfLife
from swarmage.supervisor.slot import Slot

log = logging.getLogger(__name__)

SILENCE_SECONDS = 30.0
"""A child that has booted beats every five seconds; one that is silent for so long hangs, or gets no CPU at all."""


class Vigil:
    """Listens for the beats of children. Only the supervisor's loop touches it.

    A child that ended is not silent: it is started again. Nor is one that drains, which has a deadline of its own, or
    one that boots.

    Attributes:
        sign: what those outside are given.
        look_at: when to look next, on the monotonic clock; None before everything is ready.
    """

    def __init__(self, slots: Sequence[Slot], sign: SignOfLife, clock: Clock) -> None:
        self.look_at: float | None = None
        self._slots = slots
        self.sign = sign
        self._clock = clock
        self._heard: dict[Slot, float] = {}
        self._silent: list[Slot] = []

    def heard(self, slot: Slot) -> None:
        """Note that the child said something."""
        self._heard[slot] = self._clock.monotonic()

    def ready(self) -> None:
        """Begin: all children have booted."""
        self.sign.ready()
        self.look_at = self._clock.monotonic() + self.sign.every

    def look(self, now: float, *, stopping: bool) -> None:
        """Give a sign of life if it is time for one and all children are heard of."""
        if self.look_at is None or now < self.look_at:
            return
        self.look_at = now + self.sign.every
        silent = [] if stopping else [slot for slot in self._slots if self._is_silent(slot, now)]
        for slot in silent:
            if slot not in self._silent:
                log.error(
                    "%s has not been heard of for %.0f s; no sign of life is given until it is",
                    slot.spec.name,
                    SILENCE_SECONDS,
                )
        self._silent = silent
        if not silent:
            self.sign.beat()

    def _is_silent(self, slot: Slot, now: float) -> bool:
        return slot.is_ready and not slot.drained and now - self._heard.get(slot, now) > SILENCE_SECONDS
