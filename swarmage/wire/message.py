"""What goes to the bus, before any bus's own words."""

from __future__ import annotations

from typing import NamedTuple


class Message(NamedTuple):
    """One message for one destination.

    Attributes:
        destination: where it goes.
        body: its bytes.
        signature: the signature header's value.
        delay: seconds the bus holds it back.
        priority: 0 to 9, or None for the bus's own default.
        expires: seconds after which the bus may drop it unread, or None for never; never used for tasks.
        persistent: whether it must survive the bus's restart.
        group: messages of one group go to one subscription at a time; None for a message of its own.
        once: what the bus knows it by, if it may be sent twice and must not count twice; None for no such wish.
    """

    destination: str
    body: bytes
    signature: str
    delay: float = 0.0
    priority: int | None = None
    expires: float | None = None
    persistent: bool = True
    group: str | None = None
    once: str | None = None
