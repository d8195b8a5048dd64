"""Why a frame is answered with ERROR."""

from __future__ import annotations

from collections.abc import Mapping

_LONGEST = 500  # characters, since a reason may repeat what the client said, and is logged


class Refused(Exception):
    """The frame gets an ERROR and its connection ends.

    Attributes:
        headers: further headers of the ERROR.
    """

    def __init__(self, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason[:_LONGEST])
        self.headers = dict(headers or {})


def no_room(reason: str) -> Refused:
    """Return what a sender is told whose message could not be stored."""
    return Refused(f"{reason}; the message was not stored, send it again later")
