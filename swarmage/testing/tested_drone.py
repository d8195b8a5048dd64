"""A drone that can die without taking the test along."""

from __future__ import annotations

from typing import Any

from swarmage.bus.connection import Connection
from swarmage.drone.drone import Drone


class TestedDrone(Drone):
    """A drone that enters itself in ``born``."""

    __test__ = False  # it is no test, whatever pytest thinks of its name

    def __init__(self, *, born: list[TestedDrone], **settings: Any) -> None:
        super().__init__(**settings)
        self.crashed = False
        born.append(self)

    def owns(self, connection: Connection) -> bool:
        """Say whether this is the drone's connection."""
        return self._bus.owns(connection)

    def die(self) -> None:
        """Do nothing more that anybody else can see, as after kill -9: what runs goes on, and nobody hears of it."""
        self.crashed = True
        self._grace = 0.0
        self._bus.abandon()
        self._mailbox.close()

    def crash(self) -> None:
        """Die, and lose the connection."""
        self.die()
        self._bus.stop(goodbye=False)
