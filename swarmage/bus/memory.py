"""Connections to a bus inside this process, for tests: no socket, but the same frames, and a reading thread.

From: bus.  To: the memory bus of that name; and the other way round.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Protocol

from swarmage.bus.connection import Connection
from swarmage.bus.frames import FrameReader, encode_connect
from swarmage.errors import BusUnreachable


class Link(Protocol):
    """One connection, as the memory bus offers it."""

    def send(self, data: bytes) -> None:
        """Hand the bus bytes.

        Raises:
            OSError: the connection has ended.
        """
        ...

    def close(self) -> None:
        """End the connection; safe twice."""
        ...


class MemoryBus(Protocol):
    """What listens under a name of this process."""

    def link(self, connection: MemoryConnection, heard: Callable[[bytes | None], None]) -> Link:
        """Return a new connection; ``heard`` gets the bus's bytes in their order, and None at the end.

        Raises:
            OSError: it takes none now.
        """
        ...


LISTENING: dict[str, MemoryBus] = {}
"""The memory buses of this process. Who starts one enters it, and removes it at the end."""


class MemoryConnection(Connection):
    """A logged-in connection to a bus in this process."""

    def open(self, timeout: float) -> None:
        """Connect and log in.

        Raises:
            BusUnreachable: there is no bus of this name, or it takes no connections now.
        """
        bus = LISTENING.get(self._address.host)
        if bus is None:
            raise BusUnreachable(f"this process has no bus {self._address}, which only a test can start")
        heard: SimpleQueue[bytes | None] = SimpleQueue()
        try:
            self._transport = _Transport(bus.link(self, heard.put))
        except OSError as error:
            raise BusUnreachable(f"no bus answers at {self._address}: {error}") from None
        threading.Thread(target=self._read, args=(heard,), name="memory bus", daemon=True).start()
        self.write(encode_connect(self._login()))
        self._answered.wait(timeout)
        self._read_answer()

    def _login(self) -> dict[str, str]:
        return super()._login() | {"heart-beat": "0,0"}  # nothing between us can die, and a test's clock may jump

    def _read(self, heard: SimpleQueue[bytes | None]) -> None:
        reader = FrameReader()
        while (data := heard.get()) is not None:
            self._beat()
            frames = reader.feed(data)
            if frames:
                self._take(frames)
        self.on_disconnected()


class _Transport:
    """Stands where stomp.py's transport stands in a connection with a socket."""

    def __init__(self, link: Link) -> None:
        self.socket = self
        self.sendall = link.send
        self.disconnect_socket = link.close
