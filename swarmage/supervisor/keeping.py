"""How the embedded bus keeps messages: what its receipts mean, how much it takes, and from how many."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
        max_connections: open connections; None for the default.
        max_connections_per_address: those that may come from one address; None for the default.
        dedupe_seconds: how long the id of a SEND is remembered, so that it gets in once.
        max_deliveries: how a queue's name may begin, and how many deliveries of a message of it may end without an ack
            before it becomes a dead letter.
    """

    durability: str = "disk"
    max_bytes: int | None = None
    max_queue_messages: int | None = None
    max_connections: int | None = None
    max_connections_per_address: int | None = None
    dedupe_seconds: float = 120.0
    max_deliveries: tuple[tuple[str, int], ...] = ()

    @property
    def limits(self) -> Limits:
        """What the bus grants."""
        limits = Limits(
            stored_bytes=self.max_bytes,
            queue_messages=self.max_queue_messages,
            dedupe_seconds=self.dedupe_seconds,
            deliveries=self.max_deliveries,
        )
        return replace(
            limits,
            connections=self.max_connections or limits.connections,
            connections_per_address=self.max_connections_per_address or limits.connections_per_address,
        )
