"""Connections to several buses: each is made when it can be, and nobody waits for one while another is there.

From: several.  To: bus.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
from collections.abc import Sequence

from swarmage.bus.bus import Bus
from swarmage.clock import Clock
from swarmage.errors import BusError, BusUnreachable, ConnectionLost, InsertTimeout, SwarmageError

logger = logging.getLogger("swarmage.client")

PREFERENCE = 0.5
"""Seconds that a bus has to be there in before the first task is given to one that is named later."""
GLANCE = 0.02
"""Seconds between two looks whether one is there, while none is."""
REACH_SECONDS = 60.0
REFUSED_SECONDS = 5.0
"""Seconds until a bus that has refused the login is tried again."""


class Reaching:
    """The connections. Any thread may use it.

    Attributes:
        buses: in the order in which they are preferred.
    """

    def __init__(self, buses: Sequence[Bus], clock: Clock) -> None:
        self.buses = tuple(buses)
        self._clock = clock
        self._lock = threading.Lock()  # guards all below
        self._began: float | None = None
        self._closing = threading.Event()
        self._next_try = dict.fromkeys(self.buses, -math.inf)  # infinity while nobody need try
        self._threads: dict[Bus, threading.Thread] = {}

    def begin(self) -> None:
        """See to it that each bus is connected, or tried."""
        now = self._clock.monotonic()
        with self._lock:
            if self._closing.is_set():
                return
            self._began = now if self._began is None else self._began
            for bus in self.buses:
                if self._next_try[bus] <= now:
                    self._next_try[bus] = math.inf
                    self._threads[bus] = threading.Thread(target=self._reach, args=(bus,), name="reach", daemon=True)
                    self._threads[bus].start()

    def stop(self) -> None:
        """Leave all of them; safe twice."""
        with self._lock:
            self._closing.set()
        for bus in self.buses:
            bus.stop()
        for bus, thread in self._threads.items():
            while thread.is_alive():  # it may only just begin to connect
                bus.stop()
                thread.join(GLANCE)

    def left_of(self, seconds: float) -> float:
        """Return what is left of the time that a bus has to be there in, counted from the first use."""
        return 0.0 if self._began is None else max(0.0, self._began + seconds - self._clock.monotonic())

    def there(self, timeout: float, *, preferred: int) -> list[Bus]:
        """Return the buses that are connected, in order, after waiting for one if need be.

        Args:
            timeout: seconds to wait for one.
            preferred: how many of them the first task waits for, a moment.

        Raises:
            BusUnreachable: none answers within `timeout` seconds.
            LoginRefused: those that answer refuse the login and passcode.
        """
        self.begin()
        deadline = self._clock.monotonic() + timeout
        for bus in self.buses[:preferred]:
            with contextlib.suppress(BusError):  # the others will do, if it is not there by then
                bus.connection(min(timeout, self.left_of(PREFERENCE)))
        while not (there := [bus for bus in self.buses if is_there(bus)]):
            refused = all(self._next_try[bus] < math.inf for bus in self.buses)
            if refused or self._clock.monotonic() >= deadline:
                raise all_in_one([error for error in map(_why_not, self.buses) if error is not None])
            self._closing.wait(GLANCE)
        return there

    def next_of(self, same: Bus | None, patient_until: float, others: Sequence[Bus], deadline: float) -> Bus | None:
        """Return the bus that gets what one has not taken, None when there is none until the deadline.

        Args:
            same: the bus that may have it, if it was lost meanwhile.
            patient_until: until when nothing but that will do, on the monotonic clock.
            others: those that come first after that.
            deadline: on the monotonic clock.
        """
        while not self._closing.is_set():
            now = self._clock.monotonic()
            wanted = [] if same is not None and now < patient_until else [*others]
            wanted += [] if same is None else [same]
            for bus in wanted:
                if is_there(bus):
                    return bus
            if now >= deadline or not wanted:
                break
            self._closing.wait(GLANCE)
        return None

    def _reach(self, bus: Bus) -> None:
        """Return when a bus was connected once, from when on it mends itself, or when it refuses."""
        while not self._closing.is_set():
            try:
                bus.start(REACH_SECONDS)
            except BusUnreachable:
                continue
            except BusError as error:
                with self._lock:
                    if not self._closing.is_set():
                        logger.warning("%s", error)
                        self._next_try[bus] = self._clock.monotonic() + REFUSED_SECONDS
            return


def all_in_one(errors: Sequence[SwarmageError]) -> SwarmageError:
    """Return one error for those of all buses: of the kind of the one that tells most."""

    def tells(error: SwarmageError) -> int:
        return 2 if isinstance(error, InsertTimeout) else 0 if isinstance(error, BusUnreachable | ConnectionLost) else 1

    most = max(errors, key=tells)  # the first of those that tell as much
    texts = list(dict.fromkeys(map(str, errors)))
    return most if len(texts) == 1 else type(most)(f"of {len(errors)} buses none can be used: {'; '.join(texts)}")


def is_there(bus: Bus) -> bool:
    """Say whether a bus is connected now."""
    return _why_not(bus) is None


def _why_not(bus: Bus) -> BusError | None:
    """Return why a bus is not connected now, None when it is."""
    try:
        bus.connection(0)
    except BusError as error:
        return error
    return None
