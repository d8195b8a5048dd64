"""A session between its CONNECT and the answer to it.

From: login.  To: session, which is open afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from swarmage.broker.entrance.crowd import host_of
from swarmage.broker.entrance.door import Admitted, Rejected
from swarmage.broker.refused import Refused

if TYPE_CHECKING:
    from swarmage.broker.entrance.rights import Rights
    from swarmage.broker.sessions.frames import Frame
    from swarmage.broker.sessions.session import Session


class Entry:
    """Waits for the door's verdict, and keeps what comes meanwhile.

    Attributes:
        login: the user, empty before the door has let it in.
        rights: what the user may do, None for everything.
        waiting: whether the verdict is awaited or held back; nothing more is to be read then.
        go_on: called when reading may go on.
    """

    __slots__ = ("_early", "_refusal", "_rest", "_session", "_welcome", "go_on", "login", "rights", "waiting")

    def __init__(self, session: Session) -> None:
        self.login = ""
        self.rights: Rights | None = None
        self.waiting = False
        self.go_on: Callable[[], None] = lambda: None
        self._session = session
        self._rest: Iterator[Frame] | None = None
        self._early: list[bytes] = []
        self._refusal: Rejected | None = None

    def ask(self, login: str, passcode: str, welcome: Callable[[], None]) -> None:
        """Ask the door; ``welcome`` opens the session when it lets the user in."""
        self.waiting = True
        self.login = login
        self._welcome = welcome
        self._session.hub.door.ask(host_of(self._session.peer), login, passcode, self._answered)

    def keeps(self, data: bytes) -> bool:
        """Take the bytes for later, if there is to be a later."""
        if self.waiting:
            self._early.append(data)
        return self.waiting

    def keep(self, frames: Iterator[Frame]) -> None:
        """Take what is left of the read that the CONNECT came in."""
        self._rest = frames

    def close(self) -> None:
        """Wait no longer, because the session is over."""
        self.waiting = False
        self._refusal = None

    def tick(self, now: float) -> None:
        """Say a refusal that is due, and end a connection that does not log in."""
        limit = self._session.hub.limits.login_seconds
        if self._refusal is not None and self._refusal.due <= now:
            self._session.refuse(Refused(self._refusal.reason))
        elif not self.waiting and self._session.pulse.age(now) > limit:
            self._session.refuse(Refused(f"no CONNECT within {limit:g} s"))

    def _answered(self, verdict: Admitted | Rejected) -> None:
        if not self.waiting:
            return
        if isinstance(verdict, Rejected):
            self._refusal = verdict
            self.tick(self._session.hub.clock.monotonic())
            return
        self.waiting = False
        self.rights = verdict.rights
        self._welcome()
        if self._rest is not None:  # else we are still in the read that the CONNECT came in
            self._session.take(self._rest)
            self._session.receive(b"".join(self._early))
            self.go_on()
