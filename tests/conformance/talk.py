"""What the tests of this folder say to the bus again and again."""

from __future__ import annotations

from collections.abc import Mapping

from tests.unit.broker.driver import Bus, Client


def greet(bus: Bus, headers: Mapping[str, str], command: str = "CONNECT") -> Client:
    """Send the first frame; whatever comes back waits in the client."""
    client = Client(bus)
    client.send(command, headers)
    return client


def take_all(bus: Bus, queue: str) -> list[bytes]:
    """Empty a queue and return the bodies of what was in it."""
    client = bus.client()
    client.subscribe(queue)
    bodies = client.bodies()
    client.send("DISCONNECT")
    return bodies
