"""What buses do in different words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from swarmage.wire.message import Message


class Dialect(Protocol):
    """How one kind of bus says what the STOMP specification leaves open, and what it can do at all.

    Attributes:
        name: the bus's name, as users know it.
        keeps_keys: it has message groups, values, and transactions that set a value together with an ACK.
        exclusive: one subscription can have a queue alone, while others wait for it to leave.
        atomic: a COMMIT applies its SENDs and ACKs together or not at all.
        gives_back: a message nobody has begun can be handed back for free, and what a dropped subscription has brought
            can still be acknowledged.
        counts: it says how often a message was delivered before, not only that it was.
        confirms_in_order: the receipt of a SEND stands for those before it, too.
        names_errors: an ERROR says which frame it is about, and stands for no other.
        browses: it shows the messages of a queue without taking them.
        prioritises: it delivers by priority.
        figures: it answers questions for its figures.
        check: refuses what this bus cannot carry, before anything is sent; None where the bus itself does.
        translate: writes into the headers of a MESSAGE what ours are called; None where they are.
        late: returns the id of a subscription of which an ERROR only says that a message came behind its end, or
            nothing; None where the bus does not say that.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - described above, as all of these

    @property
    def keeps_keys(self) -> bool: ...  # noqa: D102

    @property
    def exclusive(self) -> bool: ...  # noqa: D102

    @property
    def atomic(self) -> bool: ...  # noqa: D102

    @property
    def gives_back(self) -> bool: ...  # noqa: D102

    @property
    def counts(self) -> bool: ...  # noqa: D102

    @property
    def confirms_in_order(self) -> bool: ...  # noqa: D102

    @property
    def names_errors(self) -> bool: ...  # noqa: D102

    @property
    def browses(self) -> bool: ...  # noqa: D102

    @property
    def prioritises(self) -> bool: ...  # noqa: D102

    @property
    def figures(self) -> bool: ...  # noqa: D102

    @property
    def check(self) -> Callable[[Message], None] | None: ...  # noqa: D102

    @property
    def translate(self) -> Callable[[dict[str, str]], None] | None: ...  # noqa: D102

    @property
    def late(self) -> Callable[[str], str] | None: ...  # noqa: D102

    def send(self, message: Message, now: float) -> str:
        """Return the header lines of a SEND, without content-length.

        Args:
            message: what is sent.
            now: seconds since the epoch.
        """
        ...

    def declare(self, message: Message) -> bytes:
        """Return the frames that go ahead of a delayed message, so that it arrives where it is bound for."""
        ...

    def subscribe(self, destination: str, prefetch: int, *, exclusive: bool = False) -> dict[str, str]:
        """Return the headers of a SUBSCRIBE besides id, destination and ack.

        Args:
            destination: what is taken from.
            prefetch: how many unacknowledged messages it takes at most.
            exclusive: have the queue alone; who comes later waits, and takes over when this one has left.
        """
        ...

    def give_back(self, message_id: str) -> bytes:
        """Return the frame that hands back a message nobody has begun, without counting it as a failure."""
        ...

    def explain(self, error: str) -> tuple[str, bool]:
        """Return what an ERROR means and what to do about it, and whether trying again would help."""
        ...
