"""Who is connected: no more than there is room for, and those who have logged in before those who have not.

Nobody can tell a flood of connections from many honest clients that come back at once, say after a restart of the bus.
So there is no low limit for connections that have not logged in. They may take every free place, but none for long:
where all places are taken, the oldest of them makes room for the next. A client that logs in at once is in by then.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from swarmage.broker.limits import Limits
from swarmage.broker.refused import Refused


class Guest(Protocol):
    """A connection, as far as its place is concerned."""

    def make_room(self) -> None:
        """Leave, because another one needs the place; calls `Crowd.leave`."""
        ...


class Crowd:
    """The connections of one bus, TLS handshakes among them."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._here: dict[Guest, str] = {}
        self._strangers: dict[Guest, str] = {}  # those who have not logged in, the oldest first
        self._networks: Counter[str] = Counter()

    def enter(self, guest: Guest, host: str) -> None:
        """Give a new connection a place, if need be that of one which has not logged in.

        Raises:
            Refused: everybody who is here, or here from the same address, has logged in.
        """
        limits = self._limits
        network = network_of(host)
        if not _is_near(host) and self._networks[network] >= limits.connections_per_address:
            self._make_room(
                [each for each, its in self._strangers.items() if its == network],
                f"your address has {limits.connections_per_address} connections already",
            )
        if len(self._here) >= limits.connections:
            self._make_room(self._strangers, f"the bus has {limits.connections} connections already")
        self._here[guest] = self._strangers[guest] = network
        self._networks[network] += 1

    def _make_room(self, strangers: Iterable[Guest], otherwise: str) -> None:
        oldest = next(iter(strangers), None)
        if oldest is None:
            raise Refused(otherwise)
        oldest.make_room()

    def logged_in(self, guest: Guest) -> None:
        """Let a connection keep its place."""
        self._strangers.pop(guest, None)

    def leave(self, guest: Guest) -> None:
        """Take note that a connection is over; safe twice, and for one that was never let in."""
        network = self._here.pop(guest, None)
        if network is None:
            return
        self._strangers.pop(guest, None)
        self._networks[network] -= 1
        if not self._networks[network]:
            del self._networks[network]


def host_of(peer: str) -> str:
    """Return the address of a peer that is named with its port."""
    return peer.rpartition(":")[0]


def network_of(host: str) -> str:
    """Return what one machine can change least of its address: all of IPv4, the first half of IPv6."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address) or address.ipv4_mapped is not None:
        return host
    return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))


def _is_near(host: str) -> bool:
    """Tell whether it is this machine, where a whole swarm may run behind one address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return not host
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback
