"""The words of swarmage's own bus: docs/wire-format.md, section 3."""

from __future__ import annotations

from swarmage.wire.message import Message


class EmbeddedDialect:
    """swarmage's own bus: all is native, and a COMMIT applies its SENDs and ACKs together or not at all."""

    name = "embedded"
    keeps_keys = True

    def send_headers(self, message: Message, now: float) -> str:
        """See `Dialect.send_headers`."""
        lines = (
            "" if message.persistent else "persistent:false\n"
        )  # every queue's messages are kept unless that is said
        if message.delay:
            lines += f"delay:{max(1, round(message.delay * 1000))}\n"
        if message.priority is not None:
            lines += f"priority:{message.priority}\n"
        if message.expires is not None:
            lines += f"expires:{round((now + message.expires) * 1000)}\n"
        if message.group is not None:
            lines += f"JMSXGroupID:{message.group}\n"
            if message.once is not None:
                lines += f"dedupe-id:{message.once}\n"
        return lines

    def subscribe_headers(self, prefetch: int, *, exclusive: bool = False) -> dict[str, str]:
        """See `Dialect.subscribe_headers`."""
        headers = {"prefetch-count": str(prefetch)}
        return headers | {"exclusive": "true"} if exclusive else headers

    def give_back(self, message_id: str) -> bytes:
        """See `Dialect.give_back`."""
        return f"NACK\nid:{message_id}\ncount:false\n\n\0".encode()
