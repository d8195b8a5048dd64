"""Who may come in: logins checked without holding up the bus, and those that fail held back and counted.

From: login.  To: entry.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from swarmage.broker.entrance.crowd import network_of
from swarmage.broker.entrance.rights import Rights
from swarmage.broker.entrance.users import UserFile, hash_passcode
from swarmage.broker.events import event
from swarmage.clock import Clock

log = logging.getLogger("swarmage.bus")

FIRST_DELAY = 0.5
LONGEST_DELAY = 8.0
"""Seconds between a wrong passcode and its answer; doubled with each one from the same address."""
FORGIVEN_SECONDS = 60.0
"""How long an address must have been quiet until its failures are forgotten."""
MOST_HELD = 16
"""Failed logins of one address that wait for their answer: with LONGEST_DELAY, two guesses a second."""
MOST_PEERS = 1_000
MOST_PENDING = 64
"""Passcodes that are being hashed or wait for it; the same passcode of the same user counts once."""

WRONG = "the bus does not take this login and passcode"
# Clients take these two for a state that passes, and try again.
_BUSY = "too many passcodes are being checked at the moment; try again"
_TOO_OFTEN = "too many wrong passcodes came from your address; try again later"


@dataclass(frozen=True, slots=True)
class Admitted:
    """Come in; without rights, everything is allowed."""

    rights: Rights | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Stay out; say why, but not before ``due`` on the monotonic clock."""

    reason: str
    due: float


Answer = Callable[[Admitted | Rejected], None]
Offload = Callable[[Callable[[], bool], Callable[[bool], None]], None]
"""Has the first one called where it does not hold up the bus, and the second one with its result where it may act."""


def at_once(work: Callable[[], bool], done: Callable[[bool], None]) -> None:
    """Do the work here and now, where there is no loop to hold up."""
    done(work())


@dataclass(slots=True)
class _Peer:
    """What is remembered of an address from which a login failed."""

    failures: int = 0
    held: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_HELD))


class Door:
    """The users of one bus, and how its logins fared.

    Attributes:
        failures: logins refused since the start.
    """

    def __init__(
        self, users: Mapping[str, str], clock: Clock, file: UserFile | None = None, offload: Offload = at_once
    ) -> None:
        """Take the first users with their passcodes, and those of the file.

        Without any user, everybody may come in.
        """
        self.failures = 0
        self._clock = clock
        self._file = file
        self._offload = offload
        self._key = secrets.token_bytes(32)
        self._first = {login: self._digest(passcode) for login, passcode in users.items()}
        # What a slow hash has confirmed in this run, as a fast one that is worth nothing without our key.
        self._confirmed: dict[str, bytes] = {}
        self._pending: dict[tuple[str, bytes], list[tuple[str, float, Answer]]] = {}
        self._peers: OrderedDict[str, _Peer] = OrderedDict()
        self._nobody = hash_passcode(secrets.token_hex()) if file is not None else None

    def ask(self, host: str, login: str, passcode: str, answer: Answer) -> None:
        """Decide on a login; ``answer`` is called before this returns, or later where that takes time.

        Args:
            host: the address it comes from.
            login: the user's name.
            passcode: what is to be checked.
            answer: told the verdict, once.
        """
        if not self._first and self._file is None:
            answer(Admitted(None))
            return
        digest = self._digest(passcode)
        if self._file is not None and self._file.refresh():
            self._confirmed.clear()
        if hmac.compare_digest(self._first.get(login, b""), digest):
            answer(Admitted(None))
        elif hmac.compare_digest(self._confirmed.get(login, b""), digest):
            answer(self._welcome(login))
        elif self._too_often(host):
            self.failures += 1
            answer(Rejected(_TOO_OFTEN, 0.0))
        elif self._file is None or not self._file.users:
            answer(self._reject(host, login, self._clock.monotonic()))
        else:
            self._check(host, login, passcode, digest, answer)

    def _digest(self, passcode: str) -> bytes:
        return hashlib.blake2b(passcode.encode(), key=self._key).digest()

    def _welcome(self, login: str) -> Admitted | Rejected:
        assert self._file is not None
        return Admitted(self._file.users[login].rights(login))

    def _check(self, host: str, login: str, passcode: str, digest: bytes, answer: Answer) -> None:
        assert self._file is not None
        waiting = self._pending.get((login, digest))
        if waiting is not None:
            waiting.append((host, self._clock.monotonic(), answer))
            return
        if len(self._pending) >= MOST_PENDING:
            answer(Rejected(_BUSY, 0.0))
            return
        self._pending[login, digest] = [(host, self._clock.monotonic(), answer)]
        user = self._file.users.get(login)
        # An unknown login is hashed too, so that the time tells nothing about which logins exist.
        expected = user.passcode if user is not None else self._nobody
        assert expected is not None
        self._offload(lambda: expected.fits(passcode), lambda fits: self._checked(login, digest, fits=fits))

    def _checked(self, login: str, digest: bytes, *, fits: bool) -> None:
        assert self._file is not None
        asked = self._pending.pop((login, digest))
        fits = fits and login in self._file.users
        if fits and login not in self._first:
            self._confirmed[login] = digest
        for host, since, answer in asked:
            answer(self._welcome(login) if fits else self._reject(host, login, since))

    def _reject(self, host: str, login: str, since: float) -> Rejected:
        self.failures += 1
        peer = self._peer(host)
        due = since + min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(peer.failures, 10))
        peer.failures += 1
        peer.held.append(due)
        fields = event("login_refused", peer=host, login=login[:80])
        log.warning("%s: login refused for %r", host, login[:80], extra=fields)
        return Rejected(WRONG, due)

    def _too_often(self, host: str) -> bool:
        peer = self._peers.get(network_of(host))
        return peer is not None and len(peer.held) == MOST_HELD and peer.held[0] > self._clock.monotonic()

    def _peer(self, host: str) -> _Peer:
        """Return what is remembered of an address; who failed longest ago is forgotten first."""
        network = network_of(host)
        peer = self._peers.pop(network, None)
        if peer is None or peer.held[-1] + FORGIVEN_SECONDS < self._clock.monotonic():
            peer = _Peer()
        self._peers[network] = peer
        if len(self._peers) > MOST_PEERS:
            self._peers.popitem(last=False)
        return peer
