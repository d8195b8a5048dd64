"""What a queue should do, in the simplest words, to compare the bus with."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count


@dataclass(eq=False)
class Letter:
    """One message as the test sees it; its body is unique.

    Attributes:
        number: its place in line; lower goes first.
        due: when it may be delivered, on the clock of the test.
        count: deliveries that came to nothing.
        fresh: whether it was never delivered.
        late: whether it ever was out of the line for a while, so that younger ones may have passed it.
    """

    body: bytes
    queue: str
    number: int
    priority: int = 4
    stored: bool = True
    due: float = 0.0
    count: int = 0
    fresh: bool = True
    late: bool = False

    @property
    def place(self) -> tuple[int, int]:
        return (-self.priority, self.number)


@dataclass(eq=False)
class Reader:
    """One subscription.

    Attributes:
        held: what it must acknowledge, in order of delivery.
        last: by priority, the number of the newest first delivery.
    """

    id: str
    queue: str
    mode: str
    prefetch: int
    active: bool = True
    held: list[Letter] = field(default_factory=list)
    last: dict[int, int] = field(default_factory=dict)


@dataclass(eq=False)
class Step:
    """Something a transaction holds back: a SEND, or an ACK or NACK of what a reader held."""

    kind: str
    letter: Letter
    reader: Reader | None = None


class Model:
    """All queues; `available` is what may be delivered now."""

    def __init__(self) -> None:
        self.available: dict[str, list[Letter]] = {}
        self.delayed: list[Letter] = []
        self._numbers = count(1)

    def number(self) -> int:
        return next(self._numbers)

    def send(self, letter: Letter, now: float) -> None:
        if letter.due > now:
            letter.late = True
            self.delayed.append(letter)
        else:
            self.available.setdefault(letter.queue, []).append(letter)

    def pass_time(self, now: float) -> None:
        for letter in [letter for letter in self.delayed if letter.due <= now]:
            self.delayed.remove(letter)
            self.available.setdefault(letter.queue, []).append(letter)

    def deliver(self, body: bytes, reader: Reader) -> Letter:
        """Note a delivery that is allowed.

        Raises:
            AssertionError: it is not.
        """
        waiting = self.available.get(reader.queue, [])
        found = [letter for letter in waiting if letter.body == body]
        assert len(found) == 1, f"{body!r} is not there to be delivered from {reader.queue}"
        letter = found[0]
        assert reader.active, "nothing is delivered after UNSUBSCRIBE"
        if letter.fresh and not letter.late:
            assert letter.number > reader.last.get(letter.priority, 0), f"{body!r} comes out of order"
            reader.last[letter.priority] = letter.number
        waiting.remove(letter)
        letter.fresh = False
        if reader.mode != "auto":
            reader.held.append(letter)
            assert len(reader.held) <= reader.prefetch, f"{reader.id} holds more than it asked for"
        return letter

    def covered(self, reader: Reader, letter: Letter) -> list[Letter]:
        """What settling this letter settles."""
        if reader.mode == "client":
            return reader.held[: reader.held.index(letter) + 1]
        return [letter]

    def ack(self, reader: Reader, letter: Letter) -> None:
        for each in self.covered(reader, letter):
            reader.held.remove(each)

    def give_back(self, reader: Reader, letters: list[Letter], *, counted: bool) -> None:
        for each in letters:
            reader.held.remove(each)
            each.count += counted
            self.available.setdefault(each.queue, []).append(each)

    def bury(self, reader: Reader, letter: Letter) -> None:
        covered = self.covered(reader, letter)
        if reader.queue.startswith("/queue/DLQ."):
            self.give_back(reader, covered, counted=True)
            return
        mixed = len({each.stored for each in covered}) > 1  # what is not stored need not wait for the disk
        for each in covered:
            reader.held.remove(each)
            dead = Letter(each.body, f"/queue/DLQ.{each.queue.removeprefix('/queue/')}", self.number(), each.priority)
            dead.stored, dead.count, dead.late = each.stored, each.count + 1, mixed
            self.available.setdefault(dead.queue, []).append(dead)

    def crash(self, readers: list[Reader]) -> None:
        """Keep what is stored and not settled."""
        for reader in readers:
            self.give_back(reader, list(reader.held), counted=False)
        for queue, letters in self.available.items():
            self.available[queue] = [letter for letter in letters if letter.stored]
        self.delayed = [letter for letter in self.delayed if letter.stored]
