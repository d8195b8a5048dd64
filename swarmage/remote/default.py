"""References and publications of a program that has no client of its own: one connection for the whole process.

From: your program.  To: remote.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Protocol

from swarmage.bus.bus import Bus
from swarmage.clock import SYSTEM_CLOCK
from swarmage.home import follow_address, resolve_addresses
from swarmage.keyring import load_ring
from swarmage.remote.asking import Asking
from swarmage.remote.ref import RemoteRef
from swarmage.remote.remote import Remote
from swarmage.wire.envelope import Wire

if TYPE_CHECKING:
    from swarmage.remote.letters import Ref
    from swarmage.remote.publishing import Publication

CONNECT_TIMEOUT = 3.0
"""Seconds to find a bus."""
_NAMES = ("SWARMAGE_URL", "SWARMAGE_HOME", "SWARMAGE_KEY_FILE")


class HasRemote(Protocol):
    """What `publish` takes for a client."""

    @property
    def remote(self) -> Remote:
        """Its connection, for actors elsewhere."""
        ...


class Here:
    """The connection of this process, made at the first use, and anew when another bus is named or after a fork."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Know of no connection: after a fork it is the parent's, and who held the lock is not there."""
        self._lock = threading.Lock()
        self._made_for: tuple[Any, ...] = ()
        self._bus: Bus | None = None
        self._remote: Remote | None = None

    def remote(self) -> Remote:
        """Return it.

        Raises:
            ConfigError: no bus is known, or there is no signing key.
        """
        wanted = tuple(map(os.environ.get, _NAMES))
        with self._lock:
            if self._remote is None or wanted != self._made_for:
                self._leave()
                self._remote = self._make()
                self._made_for = wanted
            return self._remote

    def leave(self) -> None:
        """Leave the bus; safe twice, and the next use makes another connection."""
        with self._lock:
            self._leave()

    def _leave(self) -> None:
        if self._remote is not None and self._bus is not None:
            self._remote.stop()
            self._bus.stop()
        self._remote = None

    def _make(self) -> Remote:
        address = resolve_addresses()[0]  # of several the first, as for a client
        wire = Wire(load_ring(), SYSTEM_CLOCK)
        bus = self._bus = Bus(address, follow=follow_address(address))
        bus.on_beat = wire.follow_keys

        def connect() -> Bus:
            bus.start(CONNECT_TIMEOUT)
            return bus

        return Remote(connect, wire, SYSTEM_CLOCK)

    def asking(self) -> Asking:
        """Return what asks over it."""
        return self.remote().asking


HERE = Here()
os.register_at_fork(after_in_child=HERE.forget)


def ref(name: str) -> RemoteRef:
    """Return a reference to the actor that any cell or program on the bus publishes under a name.

    It uses one connection for the whole process, to the bus that SWARMAGE_URL names, else the one that was started in
    this folder; `Client.ref` uses that client's.

    Raises:
        ConfigError: it is not a name.
    """
    return RemoteRef(name, HERE.asking)


def publish(name: str, actor_ref: Ref, *, client: HasRemote | None = None) -> Publication:
    """Have remote references of a name reach a pykka actor, until it stops or the publication is stopped.

    Of several that publish a name one gets all requests; the next takes over when it is gone.

    Args:
        name: 1 to 200 letters, digits, dots, underscores and dashes.
        actor_ref: the actor.
        client: over whose connection; without it as for `ref`.

    Raises:
        ConfigError: it is not a name, or nothing that can be published, or no bus is known.
        BusUnreachable: no bus answers.
    """
    remote = HERE.remote() if client is None else client.remote
    return remote.publish(name, actor_ref)
