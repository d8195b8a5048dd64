"""What has come of a task so far.

From: bus, through replies.  To: reply, which waits for it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from swarmage.client.parts import Parts
from swarmage.errors import SwarmageError
from swarmage.wire.envelope import ReplyBody


class Progress(NamedTuple):
    """How far a task says it is.

    Attributes:
        done: how much is done.
        total: of how much.
        text: in its own words.
    """

    done: float
    total: float
    text: str


LATE_SECONDS = 30.0
"""How long a result waits for responses that were sent before it: until a connection without a word counts as lost,
and its messages come again, takes 10 s."""

_NONE = Parts()
"""What all share of whose tasks nobody has responded: nothing changes it."""


class Heard:
    """What the reading thread delivers and other threads wait for. `changed` guards all of it.

    Attributes:
        changed: notified at each piece of news.
        parts: responses that nobody has taken yet.
        responses: all that have come so far.
        begun: whether a worker has begun.
        progress: the latest.
        end: what the task ended with.
        lost: why nothing will come any more.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.parts: deque[Any] = deque()
        self.responses: list[Any] = []
        self.begun = False
        self.progress: Progress | None = None
        self.end: ReplyBody | None = None
        self.lost: SwarmageError | None = None
        self._order = _NONE
        self._early_end: ReplyBody | None = None  # a bus that has not noticed a lost connection sends some parts there
        self._patience: threading.Timer | None = None
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> None:
        """Have ``listener()`` called at each piece of news, in the reading thread: it must neither raise nor wait."""
        with self.changed:
            self._listeners.append(listener)

    def ignore(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` no more."""
        with self.changed:
            self._listeners.remove(listener)

    def deliver(self, body: ReplyBody) -> None:
        """Take in what came; after the end, copies of it are ignored: the originator sees one result."""
        with self.changed:
            if self.end is not None:
                return
            self.begun = True
            match body.kind:
                case "part":
                    self._order = Parts() if self._order is _NONE else self._order
                    self._take(self._order.take(body.place, body.value))
                    if self._early_end is not None:
                        self._finish(self._early_end)
                case "progress":
                    match body.value:
                        case [int() | float() as done, int() | float() as total, str() as text]:
                            self.progress = Progress(done, total, text)
                case "result" | "error":
                    if self._early_end is None or body.kind == "result":  # a copy may fail where another one did not
                        self._finish(body)
            self._tell()

    def _finish(self, end: ReplyBody) -> None:
        """Take in the end; one that parts have been sent before which have not come waits for them, for a while."""
        if end.kind == "result" and not self._order.complete(end.place):
            if self._early_end is None:
                self._early_end = end
                self._patience = threading.Timer(LATE_SECONDS, self.end_without_the_rest)
                self._patience.daemon = True
                self._patience.start()
            return
        if self._patience is not None:
            self._patience.cancel()
        self._take(self._order.rest())
        self.end = end

    def end_without_the_rest(self) -> None:
        """Take in the end although parts are missing, as those that could not be read."""
        with self.changed:
            if self.end is None and self._early_end is not None:
                self._take(self._order.rest())
                self.end = self._early_end
                self._tell()

    def abandon(self, error: SwarmageError) -> None:
        """Note that nothing will come any more."""
        with self.changed:
            if self.end is None:
                self.lost = error
                self._tell()

    def _take(self, parts: list[Any]) -> None:
        self.parts.extend(parts)
        self.responses += parts

    def _tell(self) -> None:
        self.changed.notify_all()
        for listener in self._listeners:
            listener()


NOTHING = Heard()
"""What replies share that nobody asked for: nothing changes it."""
