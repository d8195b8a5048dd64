"""Ids of messages that were seen lately, so that what is sent twice gets in once.

From: records.  To: store, with the batch that holds the message.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from enum import Enum
from hashlib import blake2b
from typing import TYPE_CHECKING

from swarmage.broker.events import event
from swarmage.broker.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swarmage.broker.limits import Limits
    from swarmage.broker.storage.notes import DedupeRow
    from swarmage.broker.storage.store import Batch
    from swarmage.clock import Clock

log = logging.getLogger("swarmage.bus")

HEADERS = ("dedupe-id", "_AMQ_DUPL_ID")
_LONGEST = 255  # bytes
_DIGEST_BYTES = 16


class Standing(Enum):
    """What is known of an id."""

    NEW = 1
    ON_ITS_WAY = 2  # what came with it is not durable yet, and may never be
    SEEN = 3


def key_of(headers: Mapping[str, str], destination: str) -> bytes | None:
    """Return a digest of the id that a SEND carries, and of where it goes; None where it carries none.

    Raises:
        Refused: the id is empty or too long.
    """
    name = next((name for name in HEADERS if name in headers), None)
    if name is None:
        return None
    data = headers[name].encode()
    if not 0 < len(data) <= _LONGEST:
        raise Refused(f"{name} has {len(data)} bytes; it must have 1 to {_LONGEST}")
    return blake2b(destination.encode() + b"\0" + data, digest_size=_DIGEST_BYTES).digest()


class Window:
    """The ids of the last minutes, in the order in which they came.

    Attributes:
        refused: ids whose messages could not be stored, until the next batch leaves.
        forgotten: ids that came with messages up to this number are not remembered any more, and not to be stored.
    """

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self.refused: set[bytes] = set()
        self.forgotten = 0
        self._seconds = limits.dedupe_seconds
        self._most = limits.dedupe_ids
        self._clock = clock
        self._seen: dict[bytes, tuple[int, float]] = {}  # the number of the message, and when it came
        self._on_their_way: dict[bytes, Batch] = {}
        self._told = False

    def __len__(self) -> int:
        return len(self._seen)

    def load(self, rows: Iterable[DedupeRow]) -> None:
        """Take over what a store holds; what is too old goes with the next tick."""
        now, wall_ms = self._clock.monotonic(), self._clock.wall() * 1000
        for row in rows:
            self._note(row.key, row.number, now - max(0.0, wall_ms - row.at) / 1000)

    def standing(self, key: bytes) -> Standing:
        """Return what is known of an id."""
        if key in self._on_their_way:
            return Standing.ON_ITS_WAY
        found = self._seen.get(key)
        if found is None or self._clock.monotonic() - found[1] >= self._seconds:
            return Standing.NEW
        return Standing.SEEN

    def is_in(self, key: bytes, batch: Batch) -> bool:
        """Tell whether this batch holds what came with an id that is on its way."""
        return self._on_their_way.get(key) is batch

    def note(self, key: bytes, number: int, batch: Batch | None) -> None:
        """Remember a new id.

        Args:
            key: see `key_of`.
            number: of the message.
            batch: in which it is on its way to the disk, None where it is not stored.
        """
        self._note(key, number, self._clock.monotonic())
        if batch is not None:
            self._on_their_way[key] = batch

    def _note(self, key: bytes, number: int, at: float) -> None:
        self._seen.pop(key, None)  # so that it goes to the end
        self._seen[key] = number, at
        if len(self._seen) > self._most:
            self._tell()
            self._forget(next(iter(self._seen)))

    def _tell(self) -> None:
        """Say once that the window is full, and again only after it was half empty."""
        if not self._told:
            self._told = True
            log.warning(
                "more than %d dedupe ids came in %g s: the oldest ones are forgotten early", self._most, self._seconds,
                extra=event("dedupe_full", most=self._most, seconds=self._seconds),
            )  # fmt: skip

    def _forget(self, key: bytes) -> None:
        self.forgotten = max(self.forgotten, self._seen.pop(key)[0])
        self._on_their_way.pop(key, None)

    def settle(self, rows: Iterable[DedupeRow], *, stored: bool) -> None:
        """Take note that ids are durable; or that they are not, when what came with them may come again."""
        for row in rows:
            self._on_their_way.pop(row.key, None)
            if not stored:
                self.refused.add(row.key)
                if self._seen.get(row.key, (0,))[0] == row.number:
                    del self._seen[row.key]

    def tick(self) -> None:
        """Forget what is old enough."""
        oldest = self._clock.monotonic() - self._seconds
        old = []
        for key, (_, at) in self._seen.items():
            if at > oldest or key in self._on_their_way:
                break
            old.append(key)
        for key in old:
            self._forget(key)
        if len(self._seen) <= self._most // 2:
            self._told = False
