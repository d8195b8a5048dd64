"""What buses do in different words."""

from __future__ import annotations

from typing import Protocol

from swarmage.wire.message import Message


class Dialect(Protocol):
    """How one kind of bus says what the STOMP specification leaves open."""

    @property
    def name(self) -> str:
        """The bus's name, as users know it."""
        ...

    @property
    def keeps_keys(self) -> bool:
        """Whether it has message groups, values, and transactions that set a value together with an ACK."""
        ...

    def send_headers(self, message: Message, now: float) -> str:
        """Return the header lines of a SEND besides destination, signature and content-length.

        Args:
            message: what is sent.
            now: seconds since the epoch.
        """
        ...

    def subscribe_headers(self, prefetch: int, *, exclusive: bool = False) -> dict[str, str]:
        """Return the headers of a SUBSCRIBE besides id, destination and ack.

        Args:
            prefetch: how many unacknowledged messages it takes at most.
            exclusive: have the queue alone; who comes later waits, and takes over when this one has left.
        """
        ...

    def give_back(self, message_id: str) -> bytes:
        """Return the frame that hands back a message nobody has begun, without counting it as a failure."""
        ...
