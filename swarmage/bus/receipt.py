"""Waiting for the bus's word that it has something safe."""

from __future__ import annotations

import itertools
from queue import Empty, SimpleQueue
from typing import Protocol

from swarmage.errors import SwarmageError


class Waiting(Protocol):
    """What is told when a RECEIPT has come, or never will."""

    def settle(self, error: SwarmageError | None = None) -> None:
        """Take note of one of its receipts; must neither raise nor wait."""
        ...


class Receipt:
    """One RECEIPT that is to come, or several that only count together."""

    __slots__ = ("_end", "_left", "error")

    def __init__(self, count: int = 1) -> None:
        self._end: SimpleQueue[None] = SimpleQueue()  # what threading.Event does, in one call of C
        self._left = count
        self.error: SwarmageError | None = None

    def wait(self, timeout: float) -> bool:
        """Return True when the bus has confirmed, False when it has not in so many seconds.

        Raises:
            ConnectionLost: the connection ended first: what was sent may be there or not.
            BusRefused: the bus answered with an ERROR.
        """
        try:
            self._end.get(timeout=max(0.0, timeout))
        except Empty:
            return False
        self._end.put(None)  # for who asks again
        if self.error is not None:
            raise self.error
        return True

    def settle(self, error: SwarmageError | None = None) -> None:
        """Say how it ended, or one of them: the first error stands for all."""
        self._left -= 1
        if error is not None:
            self.error = self.error or error
        if error is not None or self._left == 0:
            self._end.put(None)


class Receipts:
    """The receipts one connection still owes."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._waiting: dict[str, Waiting] = {}

    def expect(self) -> tuple[str, Receipt]:
        """Return an id for the ``receipt`` header and what to wait for."""
        receipt = Receipt()
        return self.expect_for(receipt), receipt

    def expect_for(self, waiting: Waiting) -> str:
        """Return an id for a ``receipt`` header of which this is told."""
        number = f"r{next(self._numbers)}"
        self._waiting[number] = waiting
        return number

    def settle(self, number: str, error: SwarmageError | None = None) -> None:
        """Settle one receipt; of one that nobody waits for any more nothing is said."""
        waiting = self._waiting.pop(number, None)
        if waiting is not None:
            waiting.settle(error)

    def forget(self, number: str) -> None:
        """Stop waiting for a receipt."""
        self._waiting.pop(number, None)

    def fail_all(self, error: SwarmageError) -> None:
        """Settle all that are left: an ended connection confirms nothing more."""
        while self._waiting:
            try:
                _, waiting = self._waiting.popitem()
            except KeyError:
                return
            waiting.settle(error)
