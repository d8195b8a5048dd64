"""A bus that says only what a test tells it to say."""

from __future__ import annotations

import socket

from swarmage.bus.frames import Frame, FrameReader
from swarmage.settings import Address

from ..fakes import SECONDS

CONNECTED = b"CONNECTED\nversion:1.2\nserver:swarmage/test\nheart-beat:%b\n\n\0"


class Peer:
    """The bus's end of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.socket.settimeout(SECONDS)
        self._reader = FrameReader()
        self._frames: list[Frame] = []

    def frame(self, *commands: str) -> Frame:
        """Return the next frame, which must be this one."""
        while not self._frames:
            data = self.socket.recv(1 << 16)
            assert data, "the connection has ended"
            self._frames += self._reader.feed(data)
        frame = self._frames.pop(0)
        assert frame.command in commands, frame
        return frame

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def log_in(self, heart_beat: bytes = b"0,0", then: bytes = b"") -> Frame:
        """Answer the login; `then` leaves in the same write."""
        frame = self.frame("CONNECT")
        self.send(CONNECTED % heart_beat + then)
        return frame

    def receipt(self, number: str) -> None:
        self.send(f"RECEIPT\nreceipt-id:{number}\n\n\0".encode())

    def rest(self) -> bytes:
        """Return all that comes until the other side ends the connection."""
        data = b""
        while True:
            try:
                more = self.socket.recv(1 << 16)
            except ConnectionResetError:
                return data
            if not more:
                return data
            data += more

    def close(self) -> None:
        self.socket.close()


class SmallServer:
    """Listens; the test accepts."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(SECONDS)
        self.address = Address(port=self._listener.getsockname()[1], login="ann", passcode="s3cret")
        self._peers: list[Peer] = []

    def accept(self) -> Peer:
        self._peers.append(Peer(self._listener.accept()[0]))
        return self._peers[-1]

    def stop_listening(self) -> None:
        self._listener.close()

    def close(self) -> None:
        self.stop_listening()
        for peer in self._peers:
            peer.close()
