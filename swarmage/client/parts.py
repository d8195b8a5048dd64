"""The responses to one task: each once, and in order, though copies of them may come early, late or twice.

From: reply.  To: your program.
"""

from __future__ import annotations

from typing import Any


class Parts:
    """Puts responses in order. A run numbers its own from 1; a drone written by others may leave the numbers out."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}
        self._early: dict[tuple[str, int], Any] = {}

    def take(self, place: tuple[str, int] | None, value: Any) -> list[Any]:
        """Take in one response; return those whose turn it is now, which are none for a copy or for one too early."""
        if place is None:
            return [value]
        path, number = place
        expected = self._next.get(path, 1)
        if number != expected:
            if number > expected:
                self._early[place] = value
            return []
        ready = [value]
        while (path, expected := expected + 1) in self._early:
            ready.append(self._early.pop((path, expected)))
        self._next[path] = expected
        return ready

    def complete(self, last: tuple[str, int] | None) -> bool:
        """Say whether all responses up to the last one have been taken."""
        return last is None or self._next.get(last[0], 1) > last[1]

    def rest(self) -> list[Any]:
        """Return what was too early, in order: the task has ended, so what is missing will not come."""
        left = [self._early[place] for place in sorted(self._early)]
        self._early.clear()
        return left
