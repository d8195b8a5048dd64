"""A message as the bus brought it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from swarmage.bus.connection import Connection


class Delivery(NamedTuple):
    """A message and the connection it came on.

    An ack belongs to that connection: on the next one the bus has given the message another number, perhaps to somebody
    else. So acks are written to `connection` and to no other, and fail harmlessly when it is gone.

    Attributes:
        connection: what it came on.
        headers: its headers.
        body: its bytes.
    """

    connection: Connection
    headers: dict[str, str]
    body: bytes

    @property
    def ack_id(self) -> str:
        """What an ACK names it by."""
        return self.headers["ack"]

    @property
    def earlier(self) -> int:
        """How many times it was delivered before and came back without an ack."""
        return int(self.headers.get("delivery-count", "0"))
