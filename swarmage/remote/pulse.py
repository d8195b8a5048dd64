"""A thread that is there only while somebody waits for an answer."""

from __future__ import annotations

import threading
from collections.abc import Callable

INTERVAL = 0.75
"""Seconds between two beats, and so between two pings."""


class Pulse:
    """Calls a function again and again, from `begin` until `rest`; both are called under the same lock."""

    def __init__(self, beat: Callable[[], None]) -> None:
        self._beat = beat
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def stopped(self) -> bool:
        """Whether it has ended for good."""
        return self._stop.is_set()

    def begin(self) -> None:
        """Beat, if it does not."""
        if self._thread is None or not self._thread.is_alive():  # one that was made and not started is not alive
            self._thread = threading.Thread(target=self._run, name="pings", daemon=True)
            self._thread.start()

    def rest(self) -> None:
        """Beat no more until the next `begin`."""
        self._thread = None

    def stop(self) -> None:
        """End for good; safe twice."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL) and self._thread is threading.current_thread():
            self._beat()
