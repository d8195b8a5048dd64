"""BEGIN, COMMIT, ABORT: what is held back until COMMIT, then done as one."""

from __future__ import annotations

from dataclasses import dataclass, field

from swarmage.broker.limits import Limits
from swarmage.broker.queues.message import Message
from swarmage.broker.refused import Refused
from swarmage.broker.sessions.frames import Frame

_STEP_OVERHEAD = 200


@dataclass(slots=True)
class Transaction:
    """What one transaction holds back, in order.

    Attributes:
        steps: messages to publish, and ACK and NACK frames to apply.
        size: an estimate of the bytes this takes.
    """

    steps: list[Message | Frame] = field(default_factory=list)
    size: int = 0


def _size(step: Message | Frame) -> int:
    if isinstance(step, Message):
        return len(step.head) + len(step.body) + _STEP_OVERHEAD
    return sum(len(name) + len(value) for name, value in step.headers.items()) + _STEP_OVERHEAD


class Transactions:
    """The open transactions of one connection."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._open: dict[str, Transaction] = {}

    def begin(self, name: str) -> None:
        """Open a transaction.

        Raises:
            Refused: it is open already, or there are too many.
        """
        if name in self._open:
            raise Refused(f"transaction {name!r} is open already")
        if len(self._open) >= self._limits.transactions:
            raise Refused(f"more than {self._limits.transactions} open transactions")
        self._open[name] = Transaction()

    def add(self, name: str, step: Message | Frame) -> None:
        """Hold a step back until COMMIT.

        Raises:
            Refused: there is no such transaction, or too much is held back.
        """
        transaction = self._open.get(name)
        if transaction is None:
            raise Refused(f"there is no transaction {name!r}")
        transaction.steps.append(step)
        transaction.size += _size(step)
        if sum(each.size for each in self._open.values()) > self._limits.transaction_bytes:
            raise Refused(f"transactions hold more than {self._limits.transaction_bytes} bytes")

    def end(self, name: str) -> list[Message | Frame]:
        """Close a transaction and return its steps.

        Raises:
            Refused: there is no such transaction.
        """
        transaction = self._open.pop(name, None)
        if transaction is None:
            raise Refused(f"there is no transaction {name!r}")
        return transaction.steps

    def clear(self) -> None:
        """Abort whatever is open."""
        self._open.clear()
