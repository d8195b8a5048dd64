"""The socket between a drone and the process of one of its workers.

From: keeper.  To: child, and back.
"""

from __future__ import annotations

import socket
import threading
from typing import Any

import msgspec

from swarmage.errors import Unreadable
from swarmage.wire.pipe import FromChild, ToChild, encode

_CHUNK = 256 * 1024
_LENGTH = 4


class Channel:
    """One end of the socket, for messages that are each preceded by their length."""

    def __init__(self, end: socket.socket, decoder: msgspec.msgpack.Decoder[Any]) -> None:
        self._socket = end
        self._decoder = decoder
        self._received = bytearray()
        self._lock = threading.Lock()  # a task may have threads of its own, which report progress

    def fileno(self) -> int:
        """Return the socket's file descriptor."""
        return self._socket.fileno()

    def send(self, message: ToChild | FromChild) -> None:
        """Write a message, whole.

        Raises:
            OSError: the other side is gone, or has not read for as long as the socket's timeout.
        """
        data = encode(message)
        with self._lock:
            self._socket.sendall(len(data).to_bytes(_LENGTH, "big") + data)

    def next(self) -> Any:
        """Return the next message of those that have been read, or None.

        Raises:
            Unreadable: somebody else has written to the socket.
        """
        received = self._received
        if len(received) < _LENGTH:
            return None
        end = _LENGTH + int.from_bytes(received[:_LENGTH], "big")
        if len(received) < end:
            return None
        data = bytes(received[_LENGTH:end])
        del received[:end]
        try:
            return self._decoder.decode(data)
        except msgspec.DecodeError as error:
            raise Unreadable(f"not what a worker's process says: {error}") from None

    def read(self) -> bool:
        """Read what is there, and wait if nothing is; say whether there is more to come."""
        try:
            data = self._socket.recv(_CHUNK)
        except ConnectionError:
            return False
        self._received += data
        return bool(data)

    def receive(self) -> Any:
        """Wait for the next message; None when the other side is gone."""
        while True:
            message = self.next()
            if message is not None:
                return message
            if not self.read():
                return None

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
