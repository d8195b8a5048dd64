"""Actors elsewhere, over one connection to the bus.

From: your program.  To: asking, publishing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from swarmage.bus.bus import Bus
from swarmage.clock import Clock
from swarmage.errors import ConfigError
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
        self._pid = os.getpid()
        self._wire = wire
        self._publications: set[Publication] = set()

    def ref(self, name: str) -> RemoteRef:
        """Return a reference to the actor published under a name; whether there is one shows when it is used.

        Raises:
            ConfigError: it is not a name, or this process was forked from the one that has the connection.
        """
        self._check_process()
        return RemoteRef(name, self._asking_here)

    def publish(self, name: str, actor_ref: Ref) -> Publication:
        """Have remote references of that name reach a pykka actor, until it stops or the publication is stopped.

        Raises:
            ConfigError: it is not a name, or nothing that can be published, or this process was forked from the one
                that has the connection, or the bus is one that cannot.
            BusUnreachable: no bus answers.
        """
        self._check_process()
        from swarmage.remote.publishing import Publication  # noqa: PLC0415 - who only asks needs no pykka

        bus = self._connect()
        if not bus.dialect.exclusive:
            raise ConfigError(
                f"the bus at {bus.address} ({bus.dialect.name}) cannot give a queue to one publisher alone, which"
                " remote references need; use swarmage's own bus for them, `swarmage bus`"
            )
        publication = Publication(name, actor_ref, bus, self._wire)
        for each in tuple(self._publications):
            if each.ended:
                self._publications.discard(each)
        self._publications.add(publication)
        publication.start()
        return publication

    def _asking_here(self) -> Asking:
        self._check_process()
        return self.asking

    def _check_process(self) -> None:
        """Refuse to write on a connection of the parent, in whose midst it would be."""
        if self._pid != os.getpid():
            raise ConfigError(
                f"this process was forked from {self._pid}, whose connection is not its own: use swarmage.ref and"
                " swarmage.publish here, which make another one"
            )

    def withdraw(self, actor_ref: Ref) -> None:
        """Publish an actor no more, and tell who waits for its answers; does not wait."""
        for publication in tuple(self._publications):
            if publication.is_of(actor_ref):
                publication.end()

    def stop(self) -> None:
        """Publish nothing more and wait for nothing more, and tell everybody who waits; safe twice."""
        for publication in tuple(self._publications):
            publication.stop()
        self.asking.stop()
