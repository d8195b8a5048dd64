"""Signs of life of one connection, in both directions."""

from __future__ import annotations

_TICK_SECONDS = 0.25
_PATIENCE = 2.5  # intervals of silence, since networks and garbage collectors pause


class Pulse:
    """When a connection was last heard, and when it must hear from us.

    Attributes:
        received: when anything came last.
        sent: when anything was written last.
        promised: seconds after which the client must have heard from us, 0 for any.
        expected: seconds after which we must have heard from it, 0 for any.
    """

    __slots__ = ("_began", "expected", "promised", "received", "sent")

    def __init__(self, now: float) -> None:
        self._began = self.received = self.sent = now
        self.promised = 0.0
        self.expected = 0.0

    def silent_for(self, now: float) -> float:
        """Return how long the client has been silent if that is too long, else 0."""
        silence = now - self.received
        return silence if self.expected and silence > self.expected * _PATIENCE else 0.0

    def beat_due(self, now: float) -> bool:
        """Whether we must send something before the next tick."""
        return bool(self.promised) and now - self.sent + _TICK_SECONDS >= self.promised

    def age(self, now: float) -> float:
        """Return how long the connection has been open."""
        return now - self._began
