"""What systemd is told by a service of ``Type=notify``: a datagram to the socket that it names."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping

log = logging.getLogger(__name__)

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
"""By these systemd tells a service where it listens; they are meant for one process, not for its children."""

SEND_SECONDS = 0.5
"""How long a systemd that does not read may hold up whoever tells it something."""


class Systemd:
    """The systemd that started this process, if one did; else nobody listens.

    Attributes:
        watchdog_seconds: how often at least it wants to hear that this process lives; None where it does not care.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Read the environment, and keep nothing open."""
        path = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self._failed = False
        self.watchdog_seconds = _watchdog_seconds(environment) if path else None

    def tell(self, state: str) -> None:
        """Send one state, such as ``READY=1``; what goes wrong is logged, for the service itself is not at fault."""
        if not self._address or self._failed:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(SEND_SECONDS)
                sender.sendto(state.encode(), self._address)
        except TimeoutError:
            log.warning("systemd does not read; it was not told %s", state)
        except OSError as error:
            self._failed = True
            log.warning("systemd cannot be told %s, nor anything else: NOTIFY_SOCKET: %s", state, error)


def _watchdog_seconds(environment: Mapping[str, str]) -> float | None:
    pid, microseconds = environment.get("WATCHDOG_PID", ""), environment.get("WATCHDOG_USEC", "")
    if pid not in ("", str(os.getpid())) or not microseconds.isdecimal() or not int(microseconds):
        return None
    return int(microseconds) / 1_000_000
