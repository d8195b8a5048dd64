"""A client's connection to the bus, or to several.

From: client.  To: bus.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Self, TypeVar

from swarmage.bus.bus import Bus
from swarmage.client.replies import Replies
from swarmage.client.several import Several
from swarmage.clock import Clock
from swarmage.errors import ConfigError, ConnectionLost
from swarmage.home import follow_address, resolve_addresses
from swarmage.keyring import load_ring
from swarmage.remote.ref import RemoteRef
from swarmage.remote.remote import Remote
from swarmage.settings import Address
from swarmage.wire.envelope import Wire

CONNECT_TIMEOUT = 3.0
"""Seconds to find a bus: long enough for one that is just being restarted, short enough to be told in time."""

R = TypeVar("R")


class Connecting:
    """The part of a Client that has the connections.

    Attributes:
        address: where the bus is; of several the first.
        bus: the bus; of several the first, which is the one for actors elsewhere.
        several: all buses, where there is more than one.
    """

    def __init__(self, addresses: Sequence[Address], timeout: float, clock: Clock, *, spread: bool) -> None:
        """Check the settings; nothing is connected yet.

        Raises:
            ConfigError: a setting is wrong, or there is no signing key.
        """
        if not timeout > 0:
            raise ConfigError(f"the client's timeout must be more than 0 seconds, not {timeout!r}")
        self.address = addresses[0]
        self.timeout = timeout
        self.clock = clock
        self.wire = Wire(load_ring(), clock)
        self._addresses = addresses
        self._spread = spread
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        buses = [Bus(address, clock=self.clock, follow=follow_address(address)) for address in self._addresses]
        for bus in buses:
            bus.on_beat = self.wire.follow_keys
        self.bus = buses[0]
        self.several = Several(buses, self.clock, spread=self._spread) if len(buses) > 1 else None
        self._replies = Replies(buses, self.wire)
        self._remote = Remote(self._connect_first, self.wire, self.clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the bus for good; whoever still waits for a reply is told at once that it will not come."""
        self._closed = True
        if self._pid != os.getpid():
            return  # after a fork all of it is the parent's, who may still need it
        self._remote.stop()
        (self.several or self.bus).stop()
        self._replies.abandon(ConnectionLost("the client was closed; the task may still end, nobody here will know"))

    def connect(self) -> Bus:
        """Return the bus, connected; of several the first that is there. Inserts do it by themselves.

        Raises:
            BusUnreachable: no bus answers.
            LoginRefused: the bus does not take the login and passcode.
        """
        self._check_process()
        if self.several is None:
            return self._connect_first()
        return self.several.connect(min(self.timeout, CONNECT_TIMEOUT))

    def _connect_first(self) -> Bus:
        self._check_process()
        if self.several is not None:
            self.several.connect_first(min(self.timeout, CONNECT_TIMEOUT))
        else:
            self.bus.start(min(self.timeout, CONNECT_TIMEOUT))
        return self.bus

    def _check_process(self) -> None:
        """See to it that the connections are this process's own."""
        if self._closed:
            raise ConfigError("this client was closed; make another one")
        if self._pid != os.getpid():
            self._begin()  # after a fork: the connection is the parent's, who would get our receipts

    def each(self, ask: Callable[[Bus], R]) -> list[R]:
        """Ask each bus, and return the answers of those that give one.

        Raises:
            SwarmageError: none does.
        """
        bus = self.connect()
        return [ask(bus)] if self.several is None else self.several.each(ask)

    @property
    def remote(self) -> Remote:
        """This client's connection, for actors elsewhere."""
        if self._pid != os.getpid():
            self._begin()
        return self._remote

    def ref(self, name: str) -> RemoteRef:
        """Return a reference to the actor that any cell or program on the bus publishes under a name.

        Raises:
            ConfigError: it is not a name.
        """
        return RemoteRef(name, lambda: self.remote.asking)


def chosen(hostname: Address | None, url: str | None, urls: Sequence[str] | None) -> Sequence[Address]:
    """Return the addresses that are given in one of three ways, or else those of SWARMAGE_URL, or of the state folder.

    Raises:
        ConfigError: there is none, one cannot be read, or they are given in two ways.
    """
    if urls is not None and (url is not None or hostname is not None):
        raise ConfigError("the buses are given twice: in urls, and in url or hostname")
    if hostname is not None:
        return (hostname,)
    return resolve_addresses(url if urls is None else urls)
