"""What an ability may tell the originator of its task while it performs it.

From: performing.  To: bus, and finalize by what it leaves to be sent.
"""

from __future__ import annotations

import contextlib
from typing import Any

from swarmage.bus.connection import Connection
from swarmage.drone.cell import Cell
from swarmage.drone.run import Run
from swarmage.drone.sending import add
from swarmage.errors import ConnectionLost
from swarmage.wire.envelope import ReplyBody
from swarmage.wire.message import Message

PROGRESS_EVERY = 0.1
"""Seconds between two progress messages: what a person can see."""


class Telling:
    """The part of a Worker that speaks to originators. Owned by the worker's thread."""

    def __init__(self) -> None:
        super().__init__()
        self._last_progress = 0.0

    def respond(self, value: Any, *, at_once: bool = False) -> None:
        """Send one of several responses to the originator, if there is one; it leaves with the acknowledgement.

        Args:
            value: the response.
            at_once: send a copy now, for an originator that wants to see each as it comes. It may be of an attempt that
                fails later; each place in the order of responses is heard once, by who speaks first.

        Raises:
            NotEncodable: the value cannot be carried.
        """
        run, cell = self._current()
        root = run.tree.task
        if root.originator is None:
            return
        place = (run.path, run.parts + 1)
        part = ReplyBody(id=root.id, kind="part", attempt=root.attempt, value=value, place=place)
        message = cell.wire.reply(root.originator, part)
        run.parts += 1  # not before, or the originator would wait for one that could not be encoded
        add(run, message)
        if at_once:
            self._send_now(message)

    def acknowledge(self) -> None:
        """Tell the originator, if there is one, that a worker has begun: at once, never certain."""
        run, cell = self._current()
        root = run.tree.task
        if root.originator is not None:
            self._send_now(cell.wire.reply(root.originator, ReplyBody(id=root.id, kind="begun", attempt=root.attempt)))

    def progress(self, done: float, total: float, text: str = "") -> None:
        """Tell the originator, if there is one, how far this is: at once, at most ten times a second, never certain."""
        run, cell = self._current()
        root = run.tree.task
        if root.originator is None or not self._may_tell(cell.clock.monotonic(), done >= total):
            return
        body = ReplyBody(id=root.id, kind="progress", attempt=root.attempt, value=[done, total, text])
        self._send_now(cell.wire.reply(root.originator, body))

    def _send_now(self, message: Message) -> None:
        run, cell = self._current()
        self._tell(run.tree.root.delivery.connection, cell.bus.send_frame(message))

    def _may_tell(self, now: float, last: bool) -> bool:
        """Say whether progress is worth a message now."""
        if now - self._last_progress < PROGRESS_EVERY and not last:
            return False
        self._last_progress = now
        return True

    def _tell(self, connection: Connection, frame: bytes) -> None:
        """Write a message that may be lost."""
        with contextlib.suppress(ConnectionLost):  # which shows elsewhere, and is not worth a failure here
            connection.write(frame)

    def _current(self) -> tuple[Run, Cell]:
        """Return what is being performed, by whoever calls.

        Raises:
            SwarmageError: nothing is.
        """
        raise NotImplementedError
