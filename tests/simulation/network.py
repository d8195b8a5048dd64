"""Connections whose bytes are under way for as long as the simulation likes, in pieces of any size."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from swarmage.broker.hub import Hub

from .model import Heard, Model, Peer, Said

if TYPE_CHECKING:
    from .clients import Client

_FULL, _EMPTY = 2_000, 500  # bytes that wait for a client when the bus is told to pause, and to go on


def cut(data: bytes) -> list[tuple[int, Heard]]:
    """Return each frame and where it ends, by a reader that shares nothing with that of the bus."""
    frames: list[tuple[int, Heard]] = []
    start = 0
    while start < len(data):
        if data[start] == ord("\n"):
            start += 1
            continue
        end = data.index(b"\n\n", start)
        command, *lines = data[start:end].decode().split("\n")
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers.setdefault(name, value)
        body = end + 2
        stop = body + int(headers["content-length"]) if "content-length" in headers else data.index(b"\0", body)
        assert data[stop] == 0
        frames.append((stop + 1, Heard(command, headers, data[body:stop])))
        start = stop + 1
    return frames


class Link:
    """One connection, with what is under way in both directions.

    Attributes:
        client: who has it, None when it went away and the bus does not know yet.
        silent: nothing moves any more, and nobody is told.
        ended: the bus has said everything.
        closed: the bus knows that it is gone.
    """

    def __init__(self, hub: Hub, model: Model, client: Client, name: str, version: str) -> None:
        self.name = name
        self.client: Client | None = client
        self.peer = Peer(version)
        self.silent = self.ended = self.closed = False
        self.beats = False
        self._model = model
        self._out = bytearray()
        self._said: deque[tuple[int, Said]] = deque()
        self._sent = self._received = 0
        self._heard: deque[tuple[int, Heard]] = deque()
        self._written = self._read = 0
        self.session = hub.connect(self, f"{name}:1")

    # The client's side.

    def say(self, said: Said) -> None:
        lines = "".join(f"{name}:{value}\n" for name, value in said.headers.items())
        body = said.copy.token.encode() if said.copy else b""
        self._out += f"{said.command}\n{lines}\n".encode() + body + b"\0"
        self._said.append((self._sent + len(self._out), said))

    def beat(self) -> None:
        self._out += b"\n"

    @property
    def leaving(self) -> int:
        """Bytes under way to the bus."""
        return 0 if self.closed or self.silent else len(self._out)

    @property
    def coming(self) -> int:
        """Bytes under way to the client."""
        return 0 if self.silent or self.client is None else self._written - self._read

    def read(self, size: int) -> None:
        """Let bytes reach the client."""
        self._read += min(size, self.coming)
        while self._heard and self._heard[0][0] <= self._read:
            heard = self._heard.popleft()[1]
            if self.client is not None:
                self.client.hear(heard)
        if self.peer.paused and self._written - self._read <= _EMPTY and not self.closed:
            self.peer.paused = False
            self.session.resume()

    # The side of the bus.

    def deliver(self, size: int) -> None:
        """Let bytes reach the bus."""
        data = bytes(self._out[:size])
        del self._out[:size]
        self._sent += len(data)
        if self.ended:
            return
        while self._said and self._said[0][0] <= self._sent:
            self._model.hears(self.peer, self._said.popleft()[1])
        self.session.receive(data)

    def lose(self) -> None:
        """Let the bus know that the connection is gone."""
        self.closed = True
        self._model.ends(self.peer, counted=True)
        self.session.lost()

    def write(self, data: bytes) -> None:
        if self.closed:
            return
        for end, heard in cut(data):
            self._heard.append((self._written + end, heard))
            self._model.says(self.peer, heard)
        self._written += len(data)
        if self._written - self._read > _FULL and not self.peer.paused:
            self.peer.paused = True
            self.session.pause()

    def finish(self) -> None:
        assert self.peer.over, "the bus hung up for no reason"
        self.ended = True

    def abort(self) -> None:
        raise AssertionError("the bus gave up for no reason")
