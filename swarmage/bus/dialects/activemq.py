"""The words of ActiveMQ Classic: docs/engines.md says what its configuration must have."""

from __future__ import annotations

from swarmage.errors import ConfigError, NotEncodable
from swarmage.wire.message import Message

MOST_BYTES = 4 * 1024 * 1024
"""Bytes of a body, as on our own bus; ActiveMQ takes more, each of them several times in its memory."""


class ActiveMQDialect:
    """ActiveMQ Classic 5.17 and later.

    Its transactions are atomic, but it remembers every message that was acknowledged in one until the subscription
    ends, so that they are not used for tasks.
    """

    name = "ActiveMQ"
    keeps_keys = exclusive = False
    atomic = gives_back = counts = confirms_in_order = figures = False
    names_errors = browses = prioritises = True
    late = None

    def check(self, message: Message) -> None:
        """Refuse what does not fit.

        Raises:
            NotEncodable: the message is too large.
            ConfigError: it is a task for a key.
        """
        if message.group is not None:
            raise ConfigError(
                f"a task for a key cannot go to {self.name}: a KeyedWorker needs swarmage's own bus, `swarmage bus`"
            )
        if len(message.body) > MOST_BYTES:
            raise NotEncodable(
                f"a message of {len(message.body)} bytes is too large, the limit is {MOST_BYTES}; pass a large value by"
                " its name, as a file or an object elsewhere"
            )

    def translate(self, headers: dict[str, str]) -> None:
        """Write that it was delivered before under the name that has on our bus."""
        if headers.get("redelivered") == "true":
            headers["delivery-count"] = "1"

    def send(self, message: Message, now: float) -> str:
        """See `Dialect.send`."""
        lines = f"destination:{message.destination}\nsignature:{message.signature}\n"
        if message.persistent:
            lines += "persistent:true\n"
        if message.delay:
            lines += f"AMQ_SCHEDULED_DELAY:{max(1, round(message.delay * 1000))}\n"
        if message.priority is not None:
            lines += f"priority:{message.priority}\n"
        if message.expires is not None:
            lines += f"expires:{round((now + message.expires) * 1000)}\n"
        return lines

    def declare(self, message: Message) -> bytes:
        """See `Dialect.declare`."""
        return b""

    def subscribe(self, destination: str, prefetch: int, *, exclusive: bool = False) -> dict[str, str]:
        """See `Dialect.subscribe`."""
        return {"activemq.prefetchSize": str(prefetch)}

    def give_back(self, message_id: str) -> bytes:
        """See `Dialect.give_back`; nothing is, here: a NACK makes it a dead letter of the bus's own."""
        raise NotImplementedError

    def explain(self, error: str) -> tuple[str, bool]:
        """See `Dialect.explain`."""
        return error, False
