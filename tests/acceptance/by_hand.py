"""A STOMP connection made of nothing but a socket, and signatures as docs/wire-format.md has them."""

from __future__ import annotations

import hashlib
import hmac
import socket
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from processes import DEADLINE, Home


class ByHand:
    """One who has a login, and sends what it likes."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port), DEADLINE)
        self._data = b""
        login = f"CONNECT\naccept-version:1.2\nhost:/\nlogin:{parts.username}\npasscode:{parts.password}\n\n\0"
        self.write(login.encode())
        head, _ = self.read()
        assert head.startswith("CONNECTED"), head

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self) -> tuple[str, bytes]:
        """Return the next frame's head and body; what it says of its length counts."""
        while True:
            self._data = self._data.lstrip(b"\n")
            head, found, rest = self._data.partition(b"\n\n")
            if found:
                lines = head.decode().split("\n")
                length = next((int(line[15:]) for line in lines if line.startswith("content-length:")), None)
                end = rest.find(b"\0") if length is None else length
                if 0 <= end < len(rest):
                    self._data = rest[end + 1 :]
                    return head.decode(), rest[:end]
            more = self._socket.recv(65536)
            assert more, "the bus closed the connection"
            self._data += more

    def send(self, destination: str, body: bytes, signature: str | None = None, **headers: str) -> None:
        """Send, and return when the bus has it on disk."""
        given = {"destination": destination, "receipt": "1", **headers, "content-length": str(len(body))}
        if signature is not None:
            given["signature"] = signature
        head = "".join(f"{name}:{value}\n" for name, value in given.items())
        self.write(f"SEND\n{head}\n".encode() + body + b"\0")
        assert self.read() == ("RECEIPT\nreceipt-id:1", b"")

    def subscribe(self, destination: str, **headers: str) -> None:
        given = {"id": "1", "destination": destination, "ack": "auto", **headers}
        head = "".join(f"{name}:{value}\n" for name, value in given.items())
        self.write(f"SUBSCRIBE\n{head}\n\0".encode())


def header_of(head: str, name: str) -> str:
    """Return the value of a header, as it was written."""
    return next(line[len(name) + 1 :] for line in head.split("\n") if line.startswith(f"{name}:"))


def key_of(home: Home) -> bytes:
    """Return the key that signs."""
    return bytes.fromhex((home.folder / "key").read_text().split()[0])


def signature(key: bytes, destination: str, body: bytes) -> str:
    key_id = hashlib.sha256(b"swarmage key id\n" + key).hexdigest()[:8]
    digest = hmac.new(key, destination.encode() + b"\n" + body, "sha256").hexdigest()
    return f"v1.{key_id}.{digest}"
