"""Actors elsewhere, over one connection to the bus.

From: your program.  To: asking, publishing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from swarmage.bus.bus import Bus
from swarmage.clock import Clock
from swarmage.remote.asking import Asking
from swarmage.remote.ref import RemoteRef
from swarmage.wire.envelope import Wire

if TYPE_CHECKING:
    from swarmage.remote.letters import Ref
    from swarmage.remote.publishing import Publication


class Remote:
    """Asks actors elsewhere and publishes those that are here. It costs nothing until it is used."""

    def __init__(self, connect: Callable[[], Bus], wire: Wire, clock: Clock) -> None:
        self.asking = Asking(connect, wire, clock)
        self._connect = connect
        self._wire = wire
        self._publications: set[Publication] = set()

    def ref(self, name: str) -> RemoteRef:
        """Return a reference to the actor published under a name; whether there is one shows when it is used.

        Raises:
            ConfigError: it is not a name.
        """
        return RemoteRef(name, lambda: self.asking)

    def publish(self, name: str, actor_ref: Ref) -> Publication:
        """Have remote references of that name reach a pykka actor, until it stops or the publication is stopped.

        Raises:
            ConfigError: it is not a name, or nothing that can be published.
            BusUnreachable: no bus answers.
        """
        from swarmage.remote.publishing import Publication  # noqa: PLC0415 - who only asks needs no pykka

        publication = Publication(name, actor_ref, self._connect(), self._wire)
        for each in tuple(self._publications):
            if each.ended:
                self._publications.discard(each)
        self._publications.add(publication)
        publication.start()
        return publication

    def stop(self) -> None:
        """Publish nothing more and wait for nothing more, and tell everybody who waits; safe twice."""
        for publication in tuple(self._publications):
            publication.stop()
        self.asking.stop()
