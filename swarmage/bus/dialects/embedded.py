"""The words of swarmage's own bus: docs/wire-format.md, section 3."""

from __future__ import annotations

from swarmage.wire.message import Message


class EmbeddedDialect:
    """swarmage's own bus: all is native, and a COMMIT applies its SENDs and ACKs together or not at all."""

    name = "embedded"
    keeps_keys = exclusive = True
    atomic = gives_back = counts = confirms_in_order = names_errors = browses = prioritises = figures = True
    check = translate = late = None

    def send(self, message: Message, now: float) -> str:
        """See `Dialect.send`."""
        # every queue's messages are kept unless the opposite is said
        lines = "" if message.persistent else "persistent:false\n"
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
        return f"destination:{message.destination}\nsignature:{message.signature}\n{lines}"

    def declare(self, message: Message) -> bytes:
        """See `Dialect.declare`."""
        return b""

    def subscribe(self, destination: str, prefetch: int, *, exclusive: bool = False) -> dict[str, str]:
        """See `Dialect.subscribe`."""
        headers = {"prefetch-count": str(prefetch)}
        return headers | {"exclusive": "true"} if exclusive else headers

    def give_back(self, message_id: str) -> bytes:
        """See `Dialect.give_back`."""
        return f"NACK\nid:{message_id}\ncount:false\n\n\0".encode()

    def explain(self, error: str) -> tuple[str, bool]:
        """See `Dialect.explain`."""
        return error, False
