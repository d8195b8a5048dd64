"""Connections that were lost while the drone lived on: what they brought was not lost because of a task.

From: bus.  To: drone, intake.

The bus counts how often a task came back without an ack, and cannot know why. A network that fails three times in a
minute would so make a dead letter of what waited in a drone. Who was killed has lost no connection yet when it is back:
so a task that kills its drone is forgiven nothing.
"""

from __future__ import annotations

from collections import deque

from swarmage.bus.connection import Connection
from swarmage.clock import Clock
from swarmage.drone.local_queue import Mailbox
from swarmage.drone.messages import Letter, Lost

MOST = 1000
"""Losses that are remembered: some hours of a network that is of no use."""


class Outlived:
    """When this drone has lost connections. Any thread may use it."""

    def __init__(self, mailbox: Mailbox, clock: Clock) -> None:
        self._mailbox = mailbox
        self._clock = clock
        self._times: deque[float] = deque(maxlen=MOST)

    def note(self, connection: Connection) -> None:
        """Note that one is lost now, before the next one brings anything, and tell the drone."""
        self._times.append(self._clock.wall())
        self._mailbox.put(Letter(Lost(connection)))

    def since(self, when: float) -> int:
        """Return how many were lost since then, seconds since the epoch."""
        return sum(1 for time in tuple(self._times) if time >= when)
