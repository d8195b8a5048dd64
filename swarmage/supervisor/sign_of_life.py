"""Signs of life for those who watch this process from outside: systemd, and probes that look at a file."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from swarmage.errors import ConfigError
from swarmage.supervisor.systemd import Systemd

log = logging.getLogger(__name__)

EVERY_SECONDS = 5.0
"""How far signs of life are apart at most; a probe waits for several of them."""


class SignOfLife:
    """Says that this process is ready, that it lives, and that it stops. One thread uses it.

    The file is there from the moment everything is ready until the end, and its time of change is that of the last
    sign of life. systemd is told the same.

    Attributes:
        every: seconds from one sign to the next.
    """

    def __init__(self, file: Path | None = None, environment: Mapping[str, str] = os.environ) -> None:
        """Give no sign yet.

        Args:
            file: what probes look at, None for no such file.
            environment: where systemd says where it listens.
        """
        self._file = file
        self._systemd = Systemd(environment)
        self._ready = self._stopping = self._failed = False
        self.every = min(EVERY_SECONDS, (self._systemd.watchdog_seconds or 3 * EVERY_SECONDS) / 3)

    def prepare(self) -> None:
        """Take away a file that an earlier process has left.

        Raises:
            ConfigError: the file cannot be made there.
        """
        if self._file is None:
            return
        try:
            self._file.touch()
            self._file.unlink()
        except OSError as error:
            raise ConfigError(f"the alive file {self._file} cannot be made: {error.strerror}") from error

    def ready(self) -> None:
        """Say that everything is there, for the first time; this is the first sign of life."""
        if not self._ready:
            self._ready = True
            self._systemd.tell("READY=1")
            self.beat()

    def beat(self) -> None:
        """Give a sign of life, if everything has been ready once."""
        if not self._ready:
            return
        if self._systemd.watchdog_seconds is not None:
            self._systemd.tell("WATCHDOG=1")
        if self._file is not None:
            self._touch(self._file)

    def stopping(self) -> None:
        """Say that this process is about to end, as it should."""
        if not self._stopping:
            self._stopping = True
            self._systemd.tell("STOPPING=1")

    def close(self) -> None:
        """Take the file away: who is gone is not ready. Safe twice."""
        if self._file is not None and self._ready:
            try:
                self._file.unlink(missing_ok=True)
            except OSError as error:
                log.warning("the alive file %s cannot be removed: %s", self._file, error.strerror)

    def _touch(self, file: Path) -> None:
        try:
            file.touch()
        except OSError as error:
            if not self._failed:
                log.warning("the alive file %s cannot be touched, so probes will fail: %s", file, error.strerror)
            self._failed = True
        else:
            self._failed = False
