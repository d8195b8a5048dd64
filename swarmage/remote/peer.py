"""What who asks knows of one published actor."""

from __future__ import annotations

from weakref import WeakValueDictionary

from swarmage.errors import SwarmageError
from swarmage.remote.future import RemoteFuture


class Peer:
    """One name, as one asker sees it. Guarded by the asker's lock.

    Attributes:
        name: under which the actor is published.
        session: what the publisher wants to see in requests; None when it is to be asked for.
        heard: when it last gave a sign of life, seconds of the monotonic clock.
        unanswered: pings since then.
        refused: what was sent with the session of another one and is sent again, before all that waits.
        waiting: what is sent when the session is known. Held, since nobody else may hold it.
        pending: what was sent, by its number. Whose future nobody holds any more is forgotten.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.session: str | None = None
        self.heard = 0.0
        self.unanswered = 0
        self.refused: list[RemoteFuture] = []
        self.waiting: list[RemoteFuture] = []
        self.pending: WeakValueDictionary[int, RemoteFuture] = WeakValueDictionary()

    @property
    def busy(self) -> bool:
        """Whether somebody waits for it."""
        return bool(self.held or self.pending)

    @property
    def held(self) -> bool:
        """Whether something is kept back, so that nothing may overtake it."""
        return bool(self.refused or self.waiting)

    def release(self) -> list[RemoteFuture]:
        """Return what was kept back, in the order in which it was asked."""
        held, self.refused, self.waiting = self.refused + self.waiting, [], []
        return held

    def fail(self, error: SwarmageError, *, before: int | None = None) -> None:
        """Tell who waits for an answer to what was sent that none will come.

        Args:
            error: why.
            before: only for numbers below this one.
        """
        for number, future in list(self.pending.items()):
            if before is None or number < before:
                del self.pending[number]
                future.fail(error)

    def abandon(self, error: SwarmageError) -> None:
        """Tell everybody who waits that no answer will come, also those whose request has not been sent."""
        self.fail(error)
        for future in self.release():
            future.fail(error)
