"""Machines that are gone without a goodbye, noticed by TCP itself.

A client need not send heart-beats, and nothing in STOMP can make it. But whatever runs on a machine, its TCP answers:
keep-alive probes while all is quiet, and what was sent to it. TCP_USER_TIMEOUT would watch over the second, but it also
ends connections to clients that are well and only slow to read, since their machines answer that there is no room.
"""

from __future__ import annotations

import socket
import struct
import sys

_IDLE = getattr(socket, "TCP_KEEPIDLE", None) or getattr(socket, "TCP_KEEPALIVE", None)  # the second one on macOS
_PROBES = 3
_INFO_BYTES = 60
_LAST_ACK = struct.Struct("=xxBB52xI")  # of Linux's struct tcp_info: retransmits, probes, milliseconds since an ACK


def keep_watch(raw: socket.socket, seconds: float) -> None:
    """Have TCP end a quiet connection whose other machine has answered nothing for about so long."""
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if _IDLE is not None:
        raw.setsockopt(socket.IPPROTO_TCP, _IDLE, max(1, round(seconds / 2)))
    for name, value in (("TCP_KEEPINTVL", max(1, round(seconds / 2 / _PROBES))), ("TCP_KEEPCNT", _PROBES)):
        if hasattr(socket, name):
            raw.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def has_vanished(raw: socket.socket, seconds: float) -> bool:
    """Tell whether the other machine has answered nothing for so long of what was sent to it; known on Linux only."""
    if sys.platform != "linux":
        return False
    try:
        info = raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    except OSError:  # closed already
        return False
    if len(info) < _INFO_BYTES:
        return False
    retransmits, probes, silent_ms = map(int, _LAST_ACK.unpack(info))
    # A single probe may be on its way, or have been dropped by a machine that answers only so many a second.
    return silent_ms > seconds * 1000 and max(retransmits, probes) > 1
