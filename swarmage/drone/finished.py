"""Where workers hand in what they have performed.

From: worker.  To: finalize, through the drone.
"""

from __future__ import annotations

from collections import deque
from queue import SimpleQueue

from swarmage.drone.messages import FLUSH, Envelope
from swarmage.drone.run import Run
from swarmage.outcome import Outcome


class Finished:
    """The part of the drone's mailbox that workers put finished runs into. Any thread may put; the drone takes."""

    def __init__(self) -> None:
        self._control: SimpleQueue[Envelope] = SimpleQueue()  # what the drone itself is told
        self._finished: deque[tuple[Run, Outcome]] = deque()
        self._flush_is_due = False

    def finish(self, run: Run, outcome: Outcome) -> None:
        """Hand a finished run to the drone; the runs of a burst become one message."""
        self._finished.append((run, outcome))
        if not self._flush_is_due:
            self._flush_is_due = True
            self._control.put(FLUSH)

    def drain_finished(self) -> list[tuple[Run, Outcome]]:
        """Return the finished runs. Called by the drone's thread only."""
        self._flush_is_due = False  # before looking: who appends after this puts a new Flush
        finished = self._finished
        drained = []
        while finished:
            drained.append(finished.popleft())
        return drained
