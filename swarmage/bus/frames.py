"""STOMP 1.2 frames, as a client writes and reads them. Ours, because stomp.py loses some and is slow with all.

See docs/decisions for what is wrong with stomp.py's own; the rules cited are those of the STOMP 1.2 specification.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from swarmage.errors import Unreadable
from swarmage.heads import Shapes

_ESCAPES = {"\\": "\\\\", "\r": "\\r", "\n": "\\n", ":": "\\c"}
_UNESCAPES = {"\\\\": "\\", "\\r": "\r", "\\n": "\n", "\\c": ":"}
_TO_ESCAPE = re.compile(r"[\\\r\n:]")
_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)
_EOL = b"\r\n"
MAX_FRAME = 64 * 1024 * 1024


class Frame(NamedTuple):
    """A frame from the bus."""

    command: str
    headers: dict[str, str]
    body: bytes


def escape(text: str) -> str:
    """Escape a header's name or value ("Value Encoding")."""
    return _TO_ESCAPE.sub(lambda found: _ESCAPES[found[0]], text)


def _unescape(text: str) -> str:
    def original(found: re.Match[str]) -> str:
        try:
            return _UNESCAPES[found[0]]
        except KeyError:  # "Undefined escape sequences such as \t MUST be treated as a fatal protocol error"
            raise Unreadable(f"undefined escape {found[0]!r} in a header from the bus") from None

    return _ESCAPED.sub(original, text)


def encode(command: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """Write any frame but CONNECT, whose headers are not escaped."""
    lines = "".join(f"{escape(name)}:{escape(value)}\n" for name, value in headers.items())
    if body:
        lines += f"content-length:{len(body)}\n"
    return f"{command}\n{lines}\n".encode() + body + b"\0"


def encode_connect(headers: Mapping[str, str]) -> bytes:
    """Write CONNECT: not escaped, for servers of STOMP 1.0 ("Value Encoding")."""
    for name, value in headers.items():
        if "\n" in value or "\0" in value:
            raise Unreadable(f"the {name} of a login must not hold line ends")
    return ("CONNECT\n" + "".join(f"{name}:{value}\n" for name, value in headers.items()) + "\n\0").encode()


def ack(message_id: str, transaction: str | None = None, more: str = "") -> bytes:
    """Write an ACK, with ``more`` header lines; the transaction is one we named, which needs no escaping."""
    if ":" in message_id:  # those of ActiveMQ do
        message_id = escape(message_id)
    if transaction is not None:
        more += f"transaction:{transaction}\n"
    return f"ACK\nid:{message_id}\n{more}\n\0".encode()


def text_of(headers: Mapping[str, str], body: bytes) -> str:
    """Return what an ERROR says: its message, and what of its body adds to that."""
    text = headers.get("message", "ERROR without a message")
    more = body.decode(errors="replace").strip()[:500]
    return text if not more or more.startswith(text) else f"{text}: {more}"


class FrameReader:
    """Cuts what the socket brought into frames, however it was split."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._size = 0
        self._wanted = 0  # no frame can be complete below this many bytes: a dribbled body is joined once
        self._shapes = Shapes("MESSAGE")

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that are complete now.

        Raises:
            Unreadable: what came is not STOMP.
        """
        if self._rest:
            self._rest.append(data)
            self._size += len(data)
            if self._size < self._wanted:
                return []
            data = b"".join(self._rest)
        frames: list[Frame] = []
        end = self._cut(data, frames)
        self._rest = [data[end:]] if end < len(data) else []
        self._size = len(data) - end
        if self._size > MAX_FRAME:
            raise Unreadable(f"a frame of more than {MAX_FRAME} bytes from the bus")
        return frames

    def _cut(self, data: bytes, frames: list[Frame]) -> int:
        """Append the complete frames; return where the first incomplete one begins."""
        start, size, self._wanted = 0, len(data), 0
        text = data.decode("latin-1")  # a character a byte, so that places are the same
        while True:
            start = self._cut_alike(data, text, start, frames)
            while start < size and data[start] in _EOL:  # heart-beats and EOLs after a frame
                start += 1
            head_end = data.find(b"\n\n", start)
            carriage = data.find(b"\n\r\n", start, head_end + 1 if head_end >= 0 else size)
            body_start = head_end + 2
            if carriage >= 0:
                head_end, body_start = carriage, carriage + 3
            if head_end < 0:
                return start
            command, headers = _read_head(data[start:head_end])
            length = headers.get("content-length")
            if length is None:
                body_end = data.find(b"\0", body_start)
                if body_end < 0:
                    return start
            else:
                body_end = body_start + _read_length(length)
                if size <= body_end:
                    self._wanted = body_end + 1 - start
                    return start
                if data[body_end] != 0:
                    raise Unreadable("no NUL after the body of a frame from the bus")
            if command == "MESSAGE":
                self._shapes.see(headers)
            frames.append(Frame(command, headers, data[body_start:body_end]))
            start = body_end + 1

    def _cut_alike(self, data: bytes, text: str, start: int, frames: list[Frame]) -> int:
        """Append the complete frames from here on that look like one before; return where another one begins."""
        shape = self._shapes.last
        if shape is None:
            return start
        match, names, length, size, new = shape.match, shape.names, shape.length, len(data), tuple.__new__
        while (found := match(text, start)) is not None:
            values = found.groups()
            body_start = found.end()
            body_end = body_start + int(values[length])
            if body_end >= size or data[body_end] != 0:
                break
            headers = dict(zip(names, values, strict=True))
            frames.append(new(Frame, ("MESSAGE", headers, data[body_start:body_end])))
            start = body_end + 1
        return start


def _read_length(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 15:
        raise Unreadable(f"content-length {text[:40]!r} from the bus")
    length = int(text)
    if length > MAX_FRAME:
        raise Unreadable(f"a frame of more than {MAX_FRAME} bytes from the bus")
    return length


def _read_head(head: bytes) -> tuple[str, dict[str, str]]:
    try:
        text = head.decode()
    except UnicodeDecodeError:
        raise Unreadable("a header from the bus is not UTF-8") from None
    command, *lines = text.split("\n")
    if "\\" not in text and "\r" not in text:  # nearly all are like this
        try:
            headers = dict([line.split(":", 1) for line in lines])
        except ValueError:
            headers = {}
        if len(headers) == len(lines):
            return command, headers
    return _read_odd_head(text)


def _read_odd_head(text: str) -> tuple[str, dict[str, str]]:
    """Read a head with escapes, carriage returns, repeated headers or lines that are none."""
    command, *lines = text.replace("\r\n", "\n").removesuffix("\r").split("\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if "\\" in line and command != "CONNECTED":
            name, value = _unescape(name), _unescape(value)
        headers.setdefault(name, value)  # "Repeated Header Entries": only the first counts
    return command, headers
