"""How much one connection may take of this process, and all of them of the disk, in one frozen value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the bus grants before it refuses.

    Attributes:
        body_bytes: the longest body of a frame.
        headers: the most headers of a frame.
        head_bytes: all headers of a frame together, its command included.
        login_bytes: a whole frame before the login.
        login_seconds: time between the TCP connection and its CONNECT frame.
        vanished_seconds: time for which a peer's machine may answer nothing, not even on the level of TCP.
        connections: open connections.
        connections_per_address: those of them that may come from one address, unless it is this machine's.
        subscriptions: subscriptions of one connection.
        temporary_queues: temporary queues of one connection.
        transactions: open transactions of one connection.
        transaction_bytes: what the open transactions of one connection hold back together.
        private_backlog: messages that may wait for one topic subscription or in one temporary queue.
        output_bytes: what may wait to be written to one connection before its subscriptions pause.
        unread_bytes: what may wait to be read by one client, its receipts and errors included, before it is given up.
        unsaved_bytes: what may wait for the disk before the bus stops reading from its senders.
        stored_bytes: what may be stored, about; None for whatever the disk has room for.
        queue_messages: messages that one queue may hold, delivered ones among them; None for any number.
        durable_subscriptions: durable subscriptions of all users.
        dedupe_seconds: how long the id of a SEND is remembered.
        dedupe_ids: how many of them are.
        deliveries: how a name of a queue may begin, and how many deliveries of one message of it may end without an
            ack before it becomes a dead letter; of several that fit, the longest beginning counts.
    """

    body_bytes: int = 4 * 1024 * 1024
    headers: int = 64
    head_bytes: int = 64 * 1024
    login_bytes: int = 16 * 1024
    login_seconds: float = 5.0
    vanished_seconds: float = 30.0
    connections: int = 1_000
    connections_per_address: int = 200
    subscriptions: int = 10_000
    temporary_queues: int = 1_000
    transactions: int = 100
    transaction_bytes: int = 64 * 1024 * 1024
    private_backlog: int = 100_000
    output_bytes: int = 256 * 1024
    unread_bytes: int = 16 * 1024 * 1024
    unsaved_bytes: int = 64 * 1024 * 1024
    stored_bytes: int | None = None
    queue_messages: int | None = None
    durable_subscriptions: int = 1_000
    dedupe_seconds: float = 120.0
    dedupe_ids: int = 200_000
    deliveries: tuple[tuple[str, int], ...] = ()

    def most_deliveries(self, queue: str) -> int | None:
        """Return how many deliveries a message of this queue may have, None for any number."""
        fitting = [(len(start), most) for start, most in self.deliveries if queue.startswith(start)]
        return max(fitting, key=lambda each: each[0])[1] if fitting else None
