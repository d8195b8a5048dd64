"""Where in a task's way a crash can be set, so that a test meets just the moment it is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from swarmage.bus.memory import MemoryConnection
from swarmage.errors import ConfigError

Point = Literal["before insert", "after insert", "before ack", "after ack"]
"""``insert`` is a client's: it loses its connection before the bus has the task, or when it has it and before it says
so. ``ack`` is a drone's: it dies before the bus has the ack, or when the bus has it and before the drone knows."""

Crash = Callable[[], None]


class Crashes:
    """Looks at everything that is written to the memory bus. Guarded by the bus.

    Attributes:
        drone_of: returns what kills the drone that a connection belongs to, None for a client's connection.
    """

    def __init__(self, drone_of: Callable[[MemoryConnection], Crash | None]) -> None:
        self.drone_of = drone_of
        self._armed: list[str] = []
        self.happened: list[str] = []

    def arm(self, point: Point) -> None:
        """Let a crash happen at the next occasion.

        Raises:
            ConfigError: there is no such point.
        """
        if point not in get_args(Point):
            raise ConfigError(f"there is no crash point {point!r}; there are: {', '.join(get_args(Point))}")
        self._armed.append(point)

    def of(self, connection: MemoryConnection, data: bytes) -> tuple[Crash | None, Crash | None]:
        """Return what is to happen before the bus takes in the bytes, and what after."""
        if not self._armed:
            return None, None
        kill = self.drone_of(connection)
        if kill is not None and _acks(data):
            return self._take("before ack", kill), self._take("after ack", kill)
        if kill is None and _inserts(data):
            return self._take("before insert", _nothing), self._take("after insert", _nothing)
        return None, None

    def _take(self, point: str, crash: Crash) -> Crash | None:
        if point not in self._armed:
            return None
        self._armed.remove(point)
        self.happened.append(point)
        return crash


def _acks(data: bytes) -> bool:
    return data.startswith(b"ACK\n") or b"\0ACK\n" in data


def _inserts(data: bytes) -> bool:
    return b"SEND\n" in data and b"\ndestination:/queue/swarmage.task." in data


def _nothing() -> None:
    """Let the connection alone be lost: the process of the client is the test's own."""
