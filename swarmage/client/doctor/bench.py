"""Where the doctor tries things: a queue of its own, and connections of its own to take from it.

From: queueing, timing, upkeep, entrance.  To: bus.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue

from swarmage.bus import frames
from swarmage.bus.bus import Bus
from swarmage.bus.connection import Connection
from swarmage.bus.delivery import Delivery
from swarmage.bus.publish import publish
from swarmage.bus.subscription import Subscription
from swarmage.client.figures.management import ENABLE, Management
from swarmage.clock import Clock
from swarmage.wire.envelope import Wire
from swarmage.wire.message import Message
from swarmage.wire.names import DOCTOR

ANSWER = 5.0
"""Seconds that a bus has for anything that takes it milliseconds when all is well."""
KEPT = 600.0
"""Seconds after which the bus drops what a probe that failed has left behind."""


class Bench:
    """One bus on the examination table.

    Attributes:
        bus: it, connected.
        clock: ours.
        wire: what reads the answers of drones, None without a signing key.
        connect_seconds: how long it took to connect and log in.
        management: RabbitMQ's management API.
    """

    def __init__(self, bus: Bus, clock: Clock, wire: Wire | None, connect_seconds: float) -> None:
        self.bus = bus
        self.clock = clock
        self.wire = wire
        self.connect_seconds = connect_seconds
        self.management = Management(bus.address, ANSWER, clock)
        self.server = bus.connection(ANSWER).server
        self._queue = DOCTOR + secrets.token_hex(8)

    @property
    def enable_management(self) -> str:
        """The commands that make RabbitMQ tell its figures."""
        return f"{ENABLE} && rabbitmqctl set_user_tags {self.bus.address.login} monitoring"

    @property
    def is_near(self) -> bool:
        """Whether all of the bus's machines are this one."""
        return all(_is_here(host) for host, _ in self.bus.address.machines)

    @property
    def version(self) -> tuple[int, ...]:
        """The version that the bus says it has, empty where it says none."""
        numbers = self.server.partition("/")[2].partition("-")[0].split(".")
        return tuple(int(number) for number in numbers) if all(number.isdecimal() for number in numbers) else ()

    def message(
        self, body: bytes, *, delay: float = 0.0, expires: float = KEPT, priority: int | None = None
    ) -> Message:
        """Return a message for the doctor's queue."""
        return Message(self._queue, body, "doctor", delay=delay, expires=expires, priority=priority)

    def send(self, *messages: Message) -> None:
        """Send, and return when the bus has confirmed.

        Raises:
            SwarmageError: it has not.
        """
        publish(self.bus, messages, ANSWER, self.clock)

    @contextmanager
    def taking(self, *, prefetch: int = 1, goodbye: bool = True) -> Iterator[Taking]:
        """Take from the doctor's queue on a connection of its own, whose end gives back what was not acknowledged."""
        with self._side(goodbye=goodbye) as side:
            yield Taking(side, self._queue, prefetch, self.clock)

    @contextmanager
    def looking(self) -> Iterator[Taking]:
        """Look into the doctor's queue and take nothing."""
        with self._side() as side:
            yield Taking(side, self._queue, 1, self.clock, browser=True)

    @contextmanager
    def _side(self, *, goodbye: bool = True) -> Iterator[Bus]:
        side = self.bus.branch()
        side.start(ANSWER)
        try:
            yield side
        finally:
            side.stop(goodbye=goodbye)

    def clear(self) -> None:
        """Take away what probes that failed have left; what is delayed expires."""
        with self.taking(prefetch=1000) as taking:
            while (delivery := taking.next(0.3)) is not None:
                taking.ack(delivery)

    def median(self, act: Callable[[], object], times: int) -> float:
        """Return the seconds that something takes."""
        took = []
        for _ in range(times):
            began = self.clock.monotonic()
            act()
            took.append(self.clock.monotonic() - began)
        return statistics.median(took)


def _is_here(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)


class Taking:
    """One subscription to the doctor's queue."""

    def __init__(self, bus: Bus, queue: str, prefetch: int, clock: Clock, *, browser: bool = False) -> None:
        self.connection: Connection = bus.connection(ANSWER)
        self._clock = clock
        self._heard: SimpleQueue[Delivery] = SimpleQueue()
        bus.subscribe(
            Subscription(id="doctor", destination=queue, receive=self._receive, prefetch=prefetch, browser=browser)
        )

    def _receive(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            self._heard.put(delivery)

    def next(self, seconds: float) -> Delivery | None:
        """Return the next message, None when none comes in time."""
        try:
            return self._heard.get(timeout=max(0.0, seconds))
        except Empty:
            return None

    def find(self, *bodies: bytes, seconds: float = ANSWER) -> Delivery | None:
        """Return the next message with one of these bodies; what earlier probes have left there is acknowledged."""
        deadline = self._clock.monotonic() + seconds
        while (delivery := self.next(deadline - self._clock.monotonic())) is not None:
            if delivery.body in bodies:
                return delivery
            self.ack(delivery)
        return None

    def ack(self, delivery: Delivery) -> None:
        """Acknowledge."""
        delivery.connection.write(frames.ack(delivery.ack_id))
