"""Why a frame is answered with ERROR."""

from __future__ import annotations

from collections.abc import Mapping


class Refused(Exception):
    """The frame gets an ERROR and its connection ends.

    Attributes:
        headers: further headers of the ERROR.
    """

    def __init__(self, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.headers = dict(headers or {})
