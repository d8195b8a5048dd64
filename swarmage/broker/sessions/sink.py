"""What a session asks of its connection."""

from __future__ import annotations

from typing import Protocol


class Sink(Protocol):
    """Where a session's bytes go."""

    def write(self, data: bytes) -> None:
        """Send the bytes."""
        ...

    def finish(self) -> None:
        """Close after everything written has left, and so that the peer can still read it."""
        ...

    def abort(self) -> None:
        """Close at once; what was not sent yet is dropped."""
        ...
