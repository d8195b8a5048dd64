"""Bytes to frames, as they trickle in.

From: connection.  To: session.
"""

from __future__ import annotations

from collections.abc import Iterator

from swarmage.broker.limits import Limits
from swarmage.broker.refused import Refused
from swarmage.broker.sessions.encoding import UNESCAPED, unescape
from swarmage.heads import Shapes

_BETWEEN_FRAMES = b"\n\r\0"
_SHORT = 1024  # bytes of a head; more are not searched in vain for an end that may be written with CR
_MARKS = b":\n\r\\\0"
_UNMARKED = bytes(set(range(256)).difference(_MARKS))
_SHAPES = {b"\n:" * count: count for count in range(65)}
"""What is left of the lines of a head without other characters: the usual one, by the number of its headers."""


class Frame:
    """One frame.

    Attributes:
        plain: the lines as they came, the command's among them, if each header is there once and none needs escaping
            in any version.
    """

    __slots__ = ("body", "command", "headers", "plain")

    def __init__(self, command: str, headers: dict[str, str], body: bytes, plain: bytes | None = None) -> None:
        self.command = command
        self.headers = headers
        self.body = body
        self.plain = plain

    def __repr__(self) -> str:
        return f"Frame({self.command!r}, {self.headers!r}, {self.body!r})"


class FrameParser:
    """Cuts one connection's bytes into frames.

    Attributes:
        version: decides how headers are unescaped.
    """

    def __init__(self, limits: Limits) -> None:
        self.version = "1.2"
        self._limits = limits
        self._head_limit = self._body_limit = limits.login_bytes
        self._pending = bytearray()
        self._needed = 0
        self._scanned = 0
        self._in_body = False
        self._end = 0
        self._shapes = Shapes("SEND")

    def log_in(self, version: str) -> None:
        """Read the frames of this version from now on, and larger ones than a CONNECT may be."""
        self.version = version
        self._head_limit = self._limits.head_bytes
        self._body_limit = self._limits.body_bytes

    @property
    def between_frames(self) -> bool:
        """Whether what comes next is the beginning of a frame."""
        return not self._pending

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield every frame that is complete now.

        Lazy on purpose: the frames behind a CONNECT in the same read are decoded by the version it negotiates.

        Raises:
            Refused: the bytes are no STOMP, or exceed a limit.
        """
        if self._pending:
            self._pending += data
            if not self._worth_another_look():
                return
            data = bytes(self._pending)
            self._pending.clear()
        position, size = 0, len(data)
        text = data.decode("latin-1")  # a character a byte, so that places are the same
        while position < size:
            if data[position] in _BETWEEN_FRAMES:
                position += 1
                continue
            frame = (
                self._cut_alike(data, text, position) or self._cut_plain(data, position) or self._cut(data, position)
            )
            if frame is None:
                self._pending += data[position:]
                return
            position = self._end
            yield frame

    def _worth_another_look(self) -> bool:
        """Search only what is new, so that input byte by byte costs linear time."""
        pending = self._pending
        if self._needed:
            return len(pending) >= self._needed
        start, self._scanned = self._scanned, max(len(pending) - 2, 0)
        if pending.find(b"\0", start) >= 0 or len(pending) > self._longest():
            return True
        return not self._in_body and (pending.find(b"\n\n", start) >= 0 or pending.find(b"\n\r\n", start) >= 0)

    def _longest(self) -> int:
        return self._head_limit + (self._body_limit if self._in_body else 0)

    def _cut_alike(self, data: bytes, text: str, start: int) -> Frame | None:
        """Return what `_cut_plain` would for a SEND with the same headers as one before; None for any other frame."""
        shape = self._shapes.last
        found = None if shape is None else shape.match(text, start)
        if shape is None or found is None:
            return None
        values = found.groups()
        after = found.end()
        end = after + int(values[shape.length])
        if end >= len(data) or data[end] != 0 or end - after > self._body_limit or after - start > self._head_limit:
            return None
        self._needed = 0
        self._end = end + 1
        headers = dict(zip(shape.names, values))  # noqa: B905 - as many of both
        return Frame("SEND", headers, data[after:end], data[start : after - 2])

    def _cut_plain(self, data: bytes, start: int) -> Frame | None:
        """Return what `_cut` would, in fewer steps, for a frame like nearly all; None for any other."""
        end = data.find(b"\n\n", start, start + _SHORT)
        if end < 0 or end - start > self._head_limit or self.version == "1.0":
            return None
        head, after = data[start:end], end + 2
        count = _SHAPES.get(head.translate(None, _UNMARKED))
        if count is None or count > self._limits.headers:
            return None
        try:
            parts = head.decode().replace(":", "\n").split("\n")
        except UnicodeDecodeError:
            return None
        headers = dict(zip(parts[1::2], parts[2::2]))  # noqa: B905 - as many of both, or the shape were another
        if len(headers) != count or "" in headers:
            return None
        length = headers.get("content-length")
        if length is None:
            end = data.find(b"\0", after)
        else:
            end = after + int(length) if length.isdigit() and length.isascii() and len(length) <= 15 else -1
        if not after <= end < len(data) or end - after > self._body_limit or data[end] != 0:
            return None
        self._needed = 0
        self._end = end + 1
        if parts[0] == "SEND":
            self._shapes.see(headers)
        return Frame(parts[0], headers, data[after:end], head)

    def _cut(self, data: bytes, start: int) -> Frame | None:
        """Return the frame that starts here and set its end, or None and note what is missing."""
        nul = data.find(b"\0", start)
        stop = nul if nul >= 0 else len(data)
        end = data.find(b"\n\n", start, stop)
        after = end + 2
        # Its last LF may be the first one of the other when the body begins with LF.
        crlf = data.find(b"\n\r\n", start, stop if end < 0 else end + 1)
        if crlf >= 0:
            end, after = crlf, crlf + 3
        if end < 0:
            if nul >= 0:
                raise Refused("the frame has no blank line behind its headers")
            self._wait(len(data) - start, in_body=False)
            return None
        if end - start > self._head_limit:
            raise Refused("the headers are too long")
        frame = self._read_head(data[start:end])
        length = frame.headers.get("content-length")
        if length is not None:
            return self._read_counted(frame, data, start, after, length)
        if nul < 0:
            self._wait(len(data) - start, in_body=True)
            return None
        if nul - after > self._body_limit:
            raise Refused(f"the body is longer than {self._body_limit} bytes")
        frame.body = data[after:nul]
        self._end = nul + 1
        return frame

    def _read_counted(self, frame: Frame, data: bytes, start: int, after: int, length: str) -> Frame | None:
        if not (length.isascii() and length.isdigit()) or len(length) > 15:
            raise Refused(f"content-length is no number: {length[:40]!r}")
        end = after + int(length)
        if end - after > self._body_limit:
            raise Refused(f"the body is longer than {self._body_limit} bytes")
        if len(data) <= end:
            self._needed = end + 1 - start
            return None
        if data[end] != 0:
            raise Refused("the body does not end with NUL where content-length says")
        self._needed = 0
        frame.body = data[after:end]
        self._end = end + 1
        return frame

    def _wait(self, have: int, *, in_body: bool) -> None:
        self._in_body = in_body
        self._needed = 0
        if have > self._longest():
            raise Refused("the frame is too long")
        self._scanned = max(have - 2, 0)

    def _read_head(self, head: bytes) -> Frame:
        try:
            text = head.decode()
        except UnicodeDecodeError:
            raise Refused("the headers are not UTF-8") from None
        command, *lines = text.split("\n")
        carriage = "\r" in text
        if carriage:
            command = command.removesuffix("\r")
            lines = [line.removesuffix("\r") for line in lines]
        if len(lines) > self._limits.headers:
            raise Refused(f"the frame has more than {self._limits.headers} headers")
        try:
            headers: dict[str, str] = dict([line.split(":", 1) for line in lines])
        except ValueError:
            raise Refused("a header has no colon") from None
        if "" in headers:
            raise Refused("a header has no name")
        if len(headers) != len(lines):  # the first of a repeated header counts
            headers = dict([line.split(":", 1) for line in reversed(lines)])
        if self.version == "1.0":
            headers = {name: value.lstrip(" ") for name, value in headers.items()}
        elif "\\" in text and command not in UNESCAPED:
            headers = self._unescape(headers)
        return Frame(command, headers, b"")

    def _unescape(self, headers: dict[str, str]) -> dict[str, str]:
        result: dict[str, str] = {}
        for name, value in headers.items():
            result.setdefault(unescape(name, self.version), unescape(value, self.version))
        return result
