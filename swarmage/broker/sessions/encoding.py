"""Header escaping of the three STOMP versions, and frames to bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from swarmage.broker.refused import Refused

if TYPE_CHECKING:
    from swarmage.broker.sessions.frames import Frame

_ESCAPE = str.maketrans({"\\": "\\\\", "\n": "\\n", ":": "\\c", "\r": "\\r"})
_UNESCAPE_11 = {"\\\\": "\\", "\\n": "\n", "\\c": ":"}
_UNESCAPE_12 = {**_UNESCAPE_11, "\\r": "\r"}
_ESCAPED = re.compile(r"\\.?", re.DOTALL)
_LINE_ENDS = re.compile(r"[\r\n\0]")

UNESCAPED = frozenset({"CONNECT", "STOMP", "CONNECTED"})
"""Commands whose headers are neither escaped nor unescaped, because 1.0 clients must read them."""


def escape(text: str) -> str:
    """Write a header's name or value as STOMP 1.2 does."""
    return text.translate(_ESCAPE)


def unescape(text: str, version: str) -> str:
    """Read a header's name or value as sent by a peer of this version.

    Raises:
        Refused: the text holds an escape that the version does not define.
    """
    if "\\" not in text:
        return text
    known = _UNESCAPE_12 if version == "1.2" else _UNESCAPE_11
    try:
        return _ESCAPED.sub(lambda found: known[found[0]], text)
    except KeyError as unknown:
        raise Refused(f"undefined escape {unknown.args[0]!r} in a header") from None


def head_for(version: str, head: bytes) -> bytes:
    r"""Rewrite header lines that were encoded for 1.2 for an older peer.

    1.0 has no escapes at all and 1.1 none for CR, so what they cannot say is left out.
    """
    if version == "1.2" or b"\\" not in head:
        return head
    if version == "1.1":
        return re.sub(rb"\\(.)", lambda found: b"" if found[1] == b"r" else found[0], head)
    lines = (line.partition(":") for line in head.decode().split("\n"))
    return "\n".join(
        raw(unescape(name, "1.2")) + colon + raw(unescape(value, "1.2")) for name, colon, value in lines
    ).encode()


def raw(text: str) -> str:
    """Leave out what would end the header early where escapes do not exist."""
    return _LINE_ENDS.sub("", text)


def encode(command: str, headers: Mapping[str, str], body: bytes = b"", *, version: str = "1.2") -> bytes:
    """Write one frame; a frame with a body gets its content-length."""
    if command in UNESCAPED or version == "1.0":
        lines = [f"{raw(name)}:{raw(value)}\n" for name, value in headers.items()]
    else:
        lines = [f"{escape(name)}:{escape(value)}\n" for name, value in headers.items()]
        if version == "1.1":
            lines = [head_for(version, line.encode()).decode() for line in lines]
    if body:
        lines.append(f"content-length:{len(body)}\n")
    return f"{command}\n{''.join(lines)}\n".encode() + body + b"\0"


def receipt(receipt_id: str, version: str, *, plain: bool = False) -> bytes:
    """Write the RECEIPT for a frame that asked for one; a plain id needs no escaping."""
    if plain:
        return b"RECEIPT\nreceipt-id:%b\n\n\0" % receipt_id.encode()
    return encode("RECEIPT", {"receipt-id": receipt_id}, version=version)


def error(refusal: Refused, frame: Frame | None, version: str) -> bytes:
    """Write the ERROR that ends a connection, and that names the frame at fault if it asked for a receipt."""
    headers = {"message": str(refusal), "content-type": "text/plain", **refusal.headers}
    if frame is not None and "receipt" in frame.headers:
        headers["receipt-id"] = frame.headers["receipt"]
    return encode("ERROR", headers, str(refusal).encode() + b"\n", version=version)
