"""The limit: what two bare sockets do on the same bus, with frames made beforehand and no reading of what is in them.

The sender asks for one receipt at the end, which the bus gives when all is on disk, or for one of each message with so
many of them open at a time. The receiver acknowledges each message by itself, all of one read in one write. Nobody who
speaks STOMP from Python can do less.
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
_READ = 262_144
PREFETCH = 1000


class RawSocket:
    """A logged-in socket; no wait of it is longer than a minute, and all of them end ``deadline`` seconds from now."""

    def __init__(self, address: Address, *, beats: str = "0,0", deadline: float = 600.0) -> None:
        self._socket = socket.create_connection((address.host, address.port), timeout=_TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._kept = b""
        self._deadline = time.perf_counter() + deadline
        login = f"login:{address.login}\npasscode:{address.passcode}\nheart-beat:{beats}\n"
        try:
            self.write(f"CONNECT\naccept-version:1.2\nhost:{address.vhost}\n{login}\n\0".encode())
            self._read_until(b"CONNECTED\n")
        except BaseException:  # raised again: nobody else will close what was opened here
            self.close()
            raise

    def __enter__(self) -> RawSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def fileno(self) -> int:
        """Return the descriptor, for a selector."""
        return self._socket.fileno()

    def write(self, data: bytes) -> None:
        """Send bytes, all of them."""
        self._socket.settimeout(_TIMEOUT)
        self._socket.sendall(data)

    def read_frames(self, timeout: float = _TIMEOUT) -> bytes:
        """Wait for whole frames and return their bytes; the bodies of this load test hold no NUL.

        Raises:
            TimeoutError: nothing has come for ``timeout`` seconds.
        """
        while True:
            left = self._deadline - time.perf_counter()
            if left <= 0:
                raise TimeoutError("the bus did not get done in time")
            self._socket.settimeout(min(timeout, left))
            data = self._socket.recv(_READ)
            if not data:
                raise ConnectionError(f"the bus closed the connection: {self._kept[-300:]!r}")
            if self._kept:
                data = self._kept + data
            end = data.rfind(b"\0") + 1
            self._kept = data[end:]
            if end:
                if b"ERROR\n" in data:
                    raise ConnectionError(f"the bus refused: {data[data.find(b'ERROR') :][:300]!r}")
                return data[:end]

    def _read_until(self, wanted: bytes) -> None:
        while wanted not in self.read_frames():
            pass

    def send_all(self, frame: bytes, count: int) -> float:
        """Send a frame so many times; return the seconds until the bus has all of them on disk."""
        chunk = frame * 100
        started = time.perf_counter()
        for _ in range(count // 100 - 1):
            self.write(chunk)
        last = frame.replace(b"SEND\n", b"SEND\nreceipt:last\n", 1)
        self.write(frame * 99 + last)
        self._read_until(b"receipt-id:last")
        return time.perf_counter() - started

    def send_confirmed(self, frame: bytes, count: int, window: int) -> float:
        """Send a frame so many times, each with a receipt of its own; return the seconds until all are confirmed.

        At most ``window`` are unconfirmed at a time. What becomes free is sent when it is a quarter of that, so that
        one write carries many frames.
        """
        rest = frame.removeprefix(b"SEND\n")
        started = time.perf_counter()
        sent = confirmed = 0
        while confirmed < count:
            room = min(confirmed + window, count) - sent
            if room * 4 >= window or 0 < room == count - sent:
                self.write(b"".join([b"SEND\nreceipt:%d\n%b" % (number, rest) for number in range(sent, sent + room)]))
                sent += room
            confirmed += self.read_frames().count(b"\0")  # only receipts come this way
        return time.perf_counter() - started

    def subscribe(self, destination: str, headers: str = f"prefetch-count:{PREFETCH}\n") -> None:
        """Ask for messages."""
        options = f"ack:client-individual\n{headers}"
        self.write(f"SUBSCRIBE\nid:1\ndestination:{destination}\n{options}\n\0".encode())

    def acknowledge(self, frames: bytes) -> int:
        """Acknowledge all messages of these frames in one write; return how many."""
        numbers = _ACK.findall(frames)
        if numbers:
            self.write(b"".join([b"ACK\nid:%b\n\n\0" % number for number in numbers]))
        return len(numbers)

    def leave(self) -> None:
        """End the subscription and disconnect: return when the bus has seen everything.

        In this order, for RabbitMQ forgets the last acks of a quorum queue when the connection ends right after them.
        """
        self.write(b"UNSUBSCRIBE\nid:1\n\n\0DISCONNECT\nreceipt:last\n\n\0")
        self._read_until(b"receipt-id:last")

    def receive_all(self, destination: str, count: int, headers: str = f"prefetch-count:{PREFETCH}\n") -> float:
        """Take and acknowledge so many messages; return the seconds from SUBSCRIBE to the last ACK's receipt."""
        started = time.perf_counter()
        self.subscribe(destination, headers)
        left = count
        while left > 0:
            left -= self.acknowledge(self.read_frames())
        if left:
            raise ValueError(f"{-left} messages came that nobody had sent")
        self.leave()
        return time.perf_counter() - started


def frame(destination: str, body: bytes, headers: bytes = b"persistent:true\n") -> bytes:
    """Return a SEND frame."""
    head = b"SEND\ndestination:%b\n%bcontent-length:%d\n\n" % (destination.encode(), headers, len(body))
    return head + body + b"\0"


def task_frame(destination: str, body: str) -> bytes:
    """Return a SEND frame with the body and the headers of a signed task that takes one string."""
    message = Wire(b"0" * 32, SYSTEM_CLOCK).task(Task(task_class="bench.noop", args=(body,)))
    headers = b"signature:%b\npersistent:true\n" % message.signature.encode()
    return frame(destination, message.body, headers)
