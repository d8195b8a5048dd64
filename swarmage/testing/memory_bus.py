"""The embedded bus without its sockets and its disk: the same sessions, queues and journal, turned by who writes to it.

From: bus.memory.  To: the broker's hub.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from swarmage.broker.hub import Hub
from swarmage.broker.sessions.session import Session
from swarmage.bus.memory import LISTENING, Link, MemoryConnection
from swarmage.testing.clock import AdvancingClock
from swarmage.testing.crashes import Crashes
from swarmage.testing.ledger import Ledger
from swarmage.wire.names import ACTOR, DEAD, NAMESPACE


class MemoryBus:
    """Listens at ``memory://NAME``. `changed` guards all of it and is notified at each turn."""

    def __init__(self, name: str, clock: AdvancingClock, ledger: Ledger, crashes: Crashes) -> None:
        self.name = name
        self.changed = threading.Condition(threading.RLock())
        self._clock = clock
        self._ledger = ledger
        self._crashes = crashes
        self._links: set[_Link] = set()
        self._start()
        LISTENING[name] = self

    def _start(self) -> None:
        self._hub = Hub(store=self._ledger, clock=self._clock, name=self.name)
        self._hub.load()

    def link(self, connection: MemoryConnection, heard: Callable[[bytes | None], None]) -> Link:
        """Return a new connection."""
        with self.changed:
            link = _Link(self, connection, heard)
            link.session = self._hub.connect(link, f"memory:{len(self._links)}")
            self._links.add(link)
            return link

    def take(self, link: _Link, data: bytes) -> None:
        """Take in what a connection wrote, and let a crash that waits for it happen.

        Raises:
            OSError: the connection has ended.
        """
        with self.changed:
            if link not in self._links:
                raise OSError("the connection has ended")
            before, after = self._crashes.of(link.connection, data)
            if before is None:
                link.session.receive(data)
                self._turn()
            crash = before or after
            if crash is not None:
                crash()
                raise OSError("the process has crashed")

    def drop(self, link: _Link) -> None:
        """End a connection."""
        with self.changed:
            if link in self._links:
                self._links.remove(link)
                link.session.lost()
                link.heard(None)
                self._turn()

    def turn(self) -> None:
        """Do what time has made due."""
        with self.changed:
            self._hub.tick()
            self._turn()

    def _turn(self) -> None:
        while self._hub.turn():
            pass
        self.changed.notify_all()

    def crash(self) -> None:
        """Lose everything but what is stored, and start again."""
        with self.changed:
            links, self._links = self._links, set()
            self._start()
            for link in links:
                link.heard(None)
            self.changed.notify_all()

    def stop(self) -> None:
        """End all connections and listen no more."""
        LISTENING.pop(self.name, None)
        for link in tuple(self._links):
            self.drop(link)

    @property
    def unsettled(self) -> list[str]:
        """The queues in which something waits or is being worked on; what is held back for later does not count."""
        with self.changed:
            queues = [
                queue for queue in self._hub.router.queues.values() if queue.name.startswith(f"/queue/{NAMESPACE}.")
            ]
            return sorted(
                queue.name for queue in queues if queue.in_flight or (queue.waiting.count and not _resting(queue.name))
            )

    @property
    def next_due(self) -> float | None:
        """Seconds until the next of what is held back is due."""
        with self.changed:
            due = self._hub.router.next_due
            return None if due is None else max(0.0, due - self._clock.monotonic())


def _resting(name: str) -> bool:
    """Say whether messages in this queue wait for a person, or for an actor that nobody publishes."""
    return name == DEAD or name.startswith(ACTOR)


class _Link:
    """One connection, as the session and as the client see it."""

    session: Session

    def __init__(self, bus: MemoryBus, connection: MemoryConnection, heard: Callable[[bytes | None], None]) -> None:
        self._bus = bus
        self.connection = connection
        self.heard = heard

    def send(self, data: bytes) -> None:
        """Hand the bus bytes."""
        self._bus.take(self, data)

    def close(self) -> None:
        """End the connection."""
        self._bus.drop(self)

    def write(self, data: bytes) -> None:
        """Hand the client bytes of the session."""
        self.heard(data)

    def abort(self) -> None:
        """End the connection from the bus's side, whatever is left to say."""
        self.finish()

    def finish(self) -> None:
        """End the connection from the bus's side."""
        with contextlib.suppress(OSError):
            self._bus.drop(self)
