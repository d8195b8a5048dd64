"""CONNECT: version, login, heart-beats.

From: session.  To: entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from swarmage.broker.refused import Refused
from swarmage.broker.sessions.encoding import encode
from swarmage.broker.sessions.frames import Frame

if TYPE_CHECKING:
    from swarmage.broker.sessions.session import Session

VERSION = "0.1.0"
SERVER = f"swarmage/{VERSION}"
_VERSIONS = ("1.2", "1.1", "1.0")
_SHORTEST_BEAT_MS = 500


def log_in(session: Session, frame: Frame) -> None:
    """Open the session as its first frame asks, when the door lets its user in.

    Raises:
        Refused: it is no CONNECT, or version or heart-beat do not fit.
    """
    if frame.command not in {"CONNECT", "STOMP"}:
        raise Refused("not logged in, the first frame must be CONNECT or STOMP")
    if frame.body:
        raise Refused(f"a {frame.command} frame has no body")
    headers = frame.headers
    version = _choose(headers.get("accept-version", "1.0"))
    if version == "1.0":
        headers = {name: value.lstrip(" ") for name, value in headers.items()}
    beats, expected, promised = _agree(headers.get("heart-beat", "0,0"))

    def welcome() -> None:
        session.entry.login = headers.get("login", "")
        session.pulse.expected, session.pulse.promised = expected, promised
        session.open(version)
        connected = {"version": version, "session": session.id, "server": SERVER, "heart-beat": beats}
        session.write(encode("CONNECTED", connected))

    session.entry.ask(headers.get("login", ""), headers.get("passcode", ""), welcome)


def _choose(offered: str) -> str:
    known = {version.strip() for version in offered.split(",")}
    for version in _VERSIONS:
        if version in known:
            return version
    supported = ",".join(reversed(_VERSIONS))
    raise Refused(f"supported protocol versions are {supported}", {"version": supported})


def _agree(wanted: str) -> tuple[str, float, float]:
    """Return our heart-beat header, and the seconds between two signs of life of the client and of ours."""
    numbers = [_milliseconds(part.strip()) for part in wanted.split(",")]
    if len(numbers) != 2:
        raise Refused(f"heart-beat is not two numbers: {wanted[:40]!r}")
    sends, wants = (max(number, _SHORTEST_BEAT_MS) if number else 0 for number in numbers)
    return f"{wants},{sends}", sends / 1000, wants / 1000


def _milliseconds(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 15:
        raise Refused(f"heart-beat is not two numbers: {text[:40]!r}")
    return int(text)
