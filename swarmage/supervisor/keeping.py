"""How the embedded bus keeps messages: what its receipts mean, and how much it takes."""

from __future__ import annotations

from dataclasses import dataclass

from swarmage.broker.limits import Limits

DURABILITIES = ("disk", "os", "memory")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """How to keep messages.

    Attributes:
        durability: where a message is when its RECEIPT is sent: on the ``disk``; with the ``os``, so that it outlives
            the bus but not a loss of power; or in ``memory``, where nothing outlives the bus.
        max_bytes: what may be stored, about; None for whatever the disk has room for.
        max_queue_messages: messages that one queue may hold; None for any number.
        max_deliveries: how a queue's name may begin, and how many deliveries of a message of it may end without an ack
            before it becomes a dead letter.
    """

    durability: str = "disk"
    max_bytes: int | None = None
    max_queue_messages: int | None = None
    max_deliveries: tuple[tuple[str, int], ...] = ()

    @property
    def limits(self) -> Limits:
        """What the bus grants."""
        return Limits(
            stored_bytes=self.max_bytes, queue_messages=self.max_queue_messages, deliveries=self.max_deliveries
        )
