"""The words of RabbitMQ: docs/engines.md has the table of queue arguments and why they are these."""

from __future__ import annotations

import math
import re
from functools import lru_cache

from swarmage.errors import ConfigError, NotEncodable
from swarmage.wire.message import Message
from swarmage.wire.names import DOCTOR, NAMESPACE, STATE, STATUS, reply_destination

MOST_BYTES = 4 * 1024 * 1024 - 16 * 1024
"""Bytes of a body: RabbitMQ takes no frame over 4 MiB since 3.12."""

STEP = 1.1
"""Between two rungs of the ladder of delays: none is early, none more than a tenth late."""

DAY = 24 * 3600
BRIEF = 300
"""Seconds for which a queue that nobody will miss outlives its use."""

_QUEUE = {"durable": "true", "auto-delete": "false"}
_CLASSIC = {**_QUEUE, "x-queue-type": "classic"}
_QUORUM = {**_QUEUE, "x-queue-type": "quorum"}
_STREAM = {**_QUEUE, "x-queue-type": "stream"}
_LATE = re.compile(r"no current subscription with tag 'T_(.+)'")
_LASTING = ("precondition", "access_refused", "not_allowed", "resource_locked", "destination")


class RabbitMQDialect:
    """RabbitMQ 3.10 and later: nothing is atomic, nothing is given back, and queues are what their arguments say."""

    name = "RabbitMQ"
    keeps_keys = exclusive = False
    atomic = gives_back = confirms_in_order = names_errors = browses = figures = False

    def __init__(self, queues: str) -> None:
        """Choose the kind of queues: ``quorum`` or ``classic``."""
        self.prioritises = queues == "classic"
        self.counts = not self.prioritises
        self._kept = {**_CLASSIC, "x-max-priority": "9"} if self.prioritises else _QUORUM
        self._plain = _CLASSIC if self.prioritises else _QUORUM
        self._lines = lru_cache(4096)(lambda destination: _lines(self.arguments(destination)))

    def arguments(self, destination: str) -> dict[str, str]:
        """Return what a queue is declared with, the same by whoever names it first."""
        if not destination.startswith("/queue/"):
            return {}
        if destination == STATE:
            return _STREAM
        if destination.startswith(reply_destination(STATUS)):
            return {**_CLASSIC, "x-expires": "60000"}
        if destination.startswith(reply_destination("")):
            return {**self._plain, "x-expires": str(DAY * 1000)}
        if destination.startswith(DOCTOR):
            return {**self._kept, "x-expires": str(BRIEF * 1000)}
        return self._kept

    def check(self, message: Message) -> None:
        """Refuse what does not fit.

        Raises:
            NotEncodable: the message is too large.
            ConfigError: it is a task for a key, or has a priority, and the queues know none.
        """
        if message.group is not None:
            raise ConfigError(
                f"a task for a key cannot go to {self.name}: a KeyedWorker needs swarmage's own bus, `swarmage bus`"
            )
        if len(message.body) > MOST_BYTES:
            raise NotEncodable(
                f"a message of {len(message.body)} bytes is too large: RabbitMQ takes {MOST_BYTES}; pass a large value"
                " by its name, as a file or an object elsewhere"
            )
        if message.priority is not None and not self.prioritises:
            raise ConfigError(
                "quorum queues of RabbitMQ know no priorities: leave priority out, or write ?queues=classic at the end"
                " of SWARMAGE_URL, for which the queues must be made anew"
            )

    def translate(self, headers: dict[str, str]) -> None:
        """Write how often it was delivered before under the name it has on our bus."""
        count = headers.get("x-delivery-count")
        if count is not None:
            headers["delivery-count"] = count
        elif not self.counts and headers.get("redelivered") == "true":
            headers["delivery-count"] = "1"

    def send(self, message: Message, now: float) -> str:
        """See `Dialect.send`."""
        lines = f"signature:{message.signature}\n"
        if message.delay:
            lines += self._delayed(message, now)
        else:
            lines += f"destination:{message.destination}\n{self._lines(message.destination)}"
        if message.persistent:
            lines += "persistent:true\n"
        if message.priority is not None and self.prioritises:
            lines += f"priority:{message.priority}\n"
        if message.expires is not None:
            lines += f"expiration:{max(1, round(message.expires * 1000))}\n"
        return lines

    def _delayed(self, message: Message, now: float) -> str:
        """Return the lines for a queue that holds it back and passes it on to its own one when the time is over.

        A connection declares a queue once and sends to it for as long as it lives, so one that expires would take
        messages along: the name has the day in it, and the queue outlives its day by a day and the delay.
        """
        wait = rung(message.delay)
        queue = message.destination.removeprefix("/queue/")
        arguments = {
            **self._plain,
            "x-message-ttl": str(wait),
            "x-expires": str(wait + (BRIEF if message.destination.startswith(DOCTOR) else 2 * DAY) * 1000),
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": queue,
        }
        name = f"{NAMESPACE}.delay.{wait}.{int(now // DAY)}.{queue.removeprefix(NAMESPACE + '.')}"
        return f"destination:/queue/{name}\n{_lines(arguments)}"

    def declare(self, message: Message) -> bytes:
        """Declare where a delayed message goes in the end: what comes out of its delay is dropped where no queue is.

        A SEND declares its queue at once, though its transaction is aborted.
        """
        lines = self._lines(message.destination)
        return (
            "BEGIN\ntransaction:declare\n\n\0"
            f"SEND\ndestination:{message.destination}\n{lines}transaction:declare\n\n\0"
            "ABORT\ntransaction:declare\n\n\0"
        ).encode()

    def subscribe(self, destination: str, prefetch: int, *, exclusive: bool = False) -> dict[str, str]:
        """See `Dialect.subscribe`."""
        headers = {**self.arguments(destination), "prefetch-count": str(prefetch)}
        if destination == STATE:
            headers["x-stream-offset"] = "first"
        return headers

    def give_back(self, message_id: str) -> bytes:
        """See `Dialect.give_back`; nothing is, here."""
        raise NotImplementedError

    def late(self, error: str) -> str:
        """See `Dialect.late`: what a queue hands out while RabbitMQ ends the subscription finds no taker there."""
        found = _LATE.search(error)
        return found[1] if found else ""

    def explain(self, error: str) -> tuple[str, bool]:
        """See `Dialect.explain`."""
        lasting = any(word in error.lower() for word in _LASTING)
        if "PRECONDITION_FAILED - inequivalent arg" in error:
            error += (
                "; the queue was declared otherwise, by another program or with another ?queues= in SWARMAGE_URL: use"
                " the same one everywhere, or delete the queue when it is empty"
            )
        return error, not lasting


def rung(delay: float) -> int:
    """Return the delay in whole milliseconds, rounded up to a rung of the ladder: few queues serve all delays."""
    wanted = max(1, math.ceil(delay * 1000))
    found = math.ceil(STEP ** math.ceil(math.log(wanted, STEP)))
    return found if found >= wanted else math.ceil(found * STEP)  # the logarithm may be off by its last digit


def _lines(arguments: dict[str, str]) -> str:
    return "".join(f"{name}:{value}\n" for name, value in arguments.items())
