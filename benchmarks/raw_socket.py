"""The limit: what two bare sockets do on the same bus, with frames made beforehand and no reading of what is in them.

The sender asks for one receipt at the end, which the bus gives when all is on disk. The receiver acknowledges each
message by itself, all of one read in one write. Nobody who speaks STOMP from Python can do less.
"""

from __future__ import annotations

import re
import socket
import time

from swarmage.clock import SYSTEM_CLOCK
from swarmage.settings import Address
from swarmage.task import Task
from swarmage.wire.envelope import Wire

_ACK = re.compile(rb"\nack:([^\n]+)\n")
_TIMEOUT = 60.0
PREFETCH = 1000


class RawSocket:
    """A logged-in socket."""

    def __init__(self, address: Address) -> None:
        self._socket = socket.create_connection((address.host, address.port), timeout=_TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        login = f"CONNECT\naccept-version:1.2\nhost:/\nlogin:{address.login}\npasscode:{address.passcode}\n\n\0"
        self._socket.sendall(login.encode())
        self._read_until(b"CONNECTED")

    def __enter__(self) -> RawSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _read_until(self, wanted: bytes) -> None:
        seen = b""
        while wanted not in seen:
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError(f"the bus closed the connection: {seen[-300:]!r}")
            seen = seen[-200:] + data

    def send_all(self, frame: bytes, count: int) -> float:
        """Send a frame so many times; return the seconds until the bus has all of them on disk."""
        chunk = frame * 100
        started = time.perf_counter()
        for _ in range(count // 100 - 1):
            self._socket.sendall(chunk)
        last = frame.replace(b"SEND\n", b"SEND\nreceipt:last\n", 1)
        self._socket.sendall(frame * 99 + last)
        self._read_until(b"receipt-id:last")
        return time.perf_counter() - started

    def receive_all(self, destination: str, count: int) -> float:
        """Take and acknowledge so many messages; return the seconds from SUBSCRIBE to the last ACK's receipt."""
        started = time.perf_counter()
        subscribe = (
            f"SUBSCRIBE\nid:1\ndestination:{destination}\nack:client-individual\nprefetch-count:{PREFETCH}\n\n\0"
        )
        self._socket.sendall(subscribe.encode())
        left, kept = count, b""
        while left:
            data = self._socket.recv(262144)
            if not data:
                raise ConnectionError("the bus closed the connection")
            data = kept + data
            end = data.rfind(b"\0") + 1
            complete, kept = data[:end], data[end:]
            numbers = _ACK.findall(complete)
            left -= len(numbers)
            acks = b"".join([b"ACK\nid:%b\n\n\0" % number for number in numbers])
            self._socket.sendall(acks)
        self._socket.sendall(b"DISCONNECT\nreceipt:last\n\n\0")
        self._read_until(b"receipt-id:last")
        return time.perf_counter() - started


def task_frame(destination: str) -> bytes:
    """Return a SEND frame with the body and the headers a signed no-op task has."""
    message = Wire(b"0" * 32, SYSTEM_CLOCK).task(Task(task_class="bench.noop", args=(123456,)))
    return b"SEND\ndestination:%b\nsignature:%b\npersistent:true\ncontent-length:%d\n\n%b\0" % (
        destination.encode(),
        message.signature.encode(),
        len(message.body),
        message.body,
    )
