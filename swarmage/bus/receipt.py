"""Waiting for the bus's word that it has something safe."""

from __future__ import annotations

import itertools
import threading

from swarmage.errors import SwarmageError


class Receipt:
    """One RECEIPT that is to come."""

    __slots__ = ("_event", "error")

    def __init__(self) -> None:
        self._event = threading.Event()
        self.error: SwarmageError | None = None

    def wait(self, timeout: float) -> bool:
        """Return True when the bus has confirmed, False when it has not in so many seconds.

        Raises:
            ConnectionLost: the connection ended first: what was sent may be there or not.
            BusRefused: the bus answered with an ERROR.
        """
        if not self._event.wait(timeout):
            return False
        if self.error is not None:
            raise self.error
        return True

    def settle(self, error: SwarmageError | None = None) -> None:
        """Say how it ended."""
        self.error = error
        self._event.set()


class Receipts:
    """The receipts one connection still owes."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._waiting: dict[str, Receipt] = {}

    def expect(self) -> tuple[str, Receipt]:
        """Return an id for the ``receipt`` header and what to wait for."""
        number, receipt = f"r{next(self._numbers)}", Receipt()
        self._waiting[number] = receipt
        return number, receipt

    def settle(self, number: str, error: SwarmageError | None = None) -> None:
        """Settle one receipt; of one that nobody waits for any more nothing is said."""
        receipt = self._waiting.pop(number, None)
        if receipt is not None:
            receipt.settle(error)

    def forget(self, number: str) -> None:
        """Stop waiting for a receipt."""
        self._waiting.pop(number, None)

    def fail_all(self, error: SwarmageError) -> None:
        """Settle all that are left: an ended connection confirms nothing more."""
        while self._waiting:
            try:
                _, receipt = self._waiting.popitem()
            except KeyError:
                return
            receipt.settle(error)
