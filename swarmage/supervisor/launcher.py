"""How children are started: their command, their environment, and the pipes that tell them who lives."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue

import msgspec

from swarmage.settings import Address
from swarmage.supervisor.child_process import ChildProcess, Event
from swarmage.supervisor.protocol import SPEC_VARIABLE, BusSpec, ChildSpec, encode
from swarmage.supervisor.systemd import VARIABLES


class Launcher:
    """Starts children whose events all go to one queue.

    A drone's stdin ends when this process does. The bus's ends when this process and all its drones have: should the
    parent be killed, they can still acknowledge what they finish.
    """

    def __init__(self, command: Sequence[str], home: Path, events: SimpleQueue[Event]) -> None:
        self._command = command
        self._home = home
        self._events = events
        self._bus_lifeline, self._held_by_drones = os.pipe()

    def launch(self, spec: ChildSpec, address: Address) -> ChildProcess:
        """Start a child on the bus at this address."""
        if isinstance(spec, BusSpec):
            environment = self._environment(spec, address)
            return ChildProcess(self._command, environment, self._events, lifeline=self._bus_lifeline)
        holds = self._held_by_drones
        environment = self._environment(msgspec.structs.replace(spec, holds=holds), address)
        return ChildProcess(self._command, environment, self._events, holds=holds)

    def close(self) -> None:
        """Give the pipe back; safe twice."""
        if self._bus_lifeline >= 0:
            os.close(self._bus_lifeline)
            os.close(self._held_by_drones)
            self._bus_lifeline = self._held_by_drones = -1

    def _environment(self, spec: ChildSpec, address: Address) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if name not in VARIABLES},
            SPEC_VARIABLE: encode(spec),
            "SWARMAGE_URL": address.url,
            "SWARMAGE_HOME": str(self._home),
        }
