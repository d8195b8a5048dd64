"""Giving a process a few short tasks ahead, so that it need not wait for its keeper after each.

They go by datagrams on a socket of which the keeper holds both ends. The process takes one when it has ended the one
before, and the keeper can take back those that it has not: a datagram is read whole, and by one of the two. So a long
task holds up no other, and of a process that dies it is known which tasks it had begun.
"""

from __future__ import annotations

import socket

from swarmage.wire.pipe import Perform, pack, unpack

MOST = 16
"""Tasks: more gain nothing, since the way there and back is by then a small part."""
WORTH = 0.010
"""Seconds of work to give ahead, at most."""
SHORT = 0.004
"""Seconds: above it the way there and back matters little, and nothing is given ahead."""
PATIENCE = 0.010
"""Seconds after which a task that has not ended is a long one, and those behind it are taken back."""
MOST_BYTES = 4096
"""Bytes of a task: some of those must fit into the socket's buffer."""
_ENOUGH = 32
_WEIGHT = 1 / 32


class Pace:
    """How long the tasks of one keeper take."""

    def __init__(self) -> None:
        self._mean = 0.0
        self._seen = 0

    def observe(self, seconds: float) -> None:
        """Take note of one task."""
        self._seen += 1
        self._mean += (seconds - self._mean) * max(_WEIGHT, 1.0 / self._seen)

    def doubt(self) -> None:
        """Look at some more tasks first: one proved long, or the process is slow to take them."""
        self._seen = 0

    def room(self) -> int:
        """Return how many tasks may be given ahead."""
        if self._seen < _ENOUGH or self._mean > SHORT:
            return 0
        return min(MOST, int(WORTH / max(self._mean, 1e-6)))


class Ahead:
    """The socket. Owned by the keeper's thread.

    Attributes:
        far: the end from which the process takes, and the keeper takes back.
    """

    def __init__(self) -> None:
        self._near, self.far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)

    def give(self, asked: Perform) -> bool:
        """Give one task; say whether there was room."""
        try:
            self._near.send(pack(asked), socket.MSG_DONTWAIT)
        except OSError:
            return False
        return True

    def take_back(self) -> list[int]:
        """Take back what the process has not taken; return the numbers of these tasks."""
        numbers = []
        while (data := take(self.far)) is not None:
            numbers.append(unpack(data).number)
        return numbers

    def close(self) -> None:
        """Close both ends."""
        self._near.close()
        self.far.close()


def take(far: socket.socket) -> bytes | None:
    """Take one task that was given ahead, None if there is none."""
    try:
        return far.recv(2 * MOST_BYTES, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None
