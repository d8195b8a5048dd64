"""The bus on a real port, and sockets that speak STOMP to it byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from pathlib import Path
from types import TracebackType

from swarmage.broker.limits import Limits
from swarmage.broker.server import BusServer
from swarmage.broker.sessions.frames import Frame, FrameParser

SECONDS = 10


class Live:
    """A server in a thread of its own."""

    def __init__(
        self,
        *,
        data: Path | None = None,
        users: dict[str, str] | None = None,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._server = BusServer(
            host="127.0.0.1", port=0, data=data, users=users or {}, limits=limits or Limits(), tls=tls
        )
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="bus under test")
        self._thread.start()
        assert self._ready.wait(SECONDS)

    async def _serve(self) -> None:
        await self._server.start()
        self._ready.set()
        await self._server.serve()

    @property
    def port(self) -> int:
        return self._server.port

    def stop(self) -> None:
        self._server.stop()
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()


class Peer:
    """A socket; everything it reads is kept as frames."""

    def __init__(self, live: Live) -> None:
        self.socket = socket.create_connection(("127.0.0.1", live.port), SECONDS)
        self._parser = FrameParser(Limits())
        self._parser.log_in("1.2")
        self._frames: list[Frame] = []

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def log_in(self, version: str = "1.2") -> Peer:
        self.send(f"CONNECT\naccept-version:{version}\nhost:anything\n\n\0".encode())
        assert self.frame().command == "CONNECTED"
        return self

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_carelessly(self, data: bytes) -> None:
        """Send what the bus may have hung up on already."""
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(data)

    def reset(self) -> None:
        """Vanish without a goodbye, as a killed machine does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def frame(self) -> Frame:
        while not self._frames:
            data = self.socket.recv(65536)
            assert data, "the bus closed"
            self._frames += self._parser.feed(data)
        return self._frames.pop(0)

    def closed(self) -> bool:
        """Whether the bus said everything and ended its direction; a reset raises."""
        return self.socket.recv(1) == b""
