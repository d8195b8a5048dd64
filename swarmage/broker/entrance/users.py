"""The file of users: who they are, what they may do, and the salted hash of each one's passcode."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import stat
from pathlib import Path
from typing import Annotated

import msgspec

from swarmage.broker.entrance.rights import EVERYTHING, Rights
from swarmage.errors import ConfigError

log = logging.getLogger("swarmage.bus")

# 16 MiB and some tens of milliseconds for each guess: RFC 7914's parameters for logins people wait for.
_N, _R, _P = 1 << 14, 8, 1
_MEMORY_BYTES = 256 * 1024 * 1024
_SALT_BYTES = 16

_Positive = Annotated[int, msgspec.Meta(ge=1, le=1 << 20)]


class Hash(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A passcode that can be recognised and not be read.

    Attributes:
        n: scrypt's cost.
        r: scrypt's block size.
        p: scrypt's parallelism.
        salt: in hexadecimal.
        scrypt: the hash, in hexadecimal.
    """

    n: _Positive
    r: _Positive
    p: _Positive
    salt: str
    scrypt: str

    def fits(self, passcode: str) -> bool:
        """Tell whether it is the hash of this passcode; takes tens of milliseconds and holds no lock."""
        try:
            found = _scrypt(passcode, bytes.fromhex(self.salt), self.n, self.r, self.p)
        except (ValueError, MemoryError) as error:
            log.error("a passcode cannot be checked: %s", error)  # noqa: TRY400 - its traceback would show the passcode
            return False
        return hmac.compare_digest(found, self.scrypt)


class User(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One user.

    Attributes:
        passcode: its hash.
        send: prefixes of the destinations it may send to.
        subscribe: prefixes of the destinations it may subscribe to.
    """

    passcode: Hash
    send: tuple[str, ...] = EVERYTHING
    subscribe: tuple[str, ...] = EVERYTHING

    def rights(self, name: str) -> Rights:
        """Return what it may do, under this login."""
        return Rights(user=name, send=self.send, subscribe=self.subscribe)


def hash_passcode(passcode: str) -> Hash:
    """Return a passcode's hash with a salt of its own."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return Hash(n=_N, r=_R, p=_P, salt=salt.hex(), scrypt=_scrypt(passcode, salt, _N, _R, _P))


def _scrypt(passcode: str, salt: bytes, n: int, r: int, p: int) -> str:
    return hashlib.scrypt(passcode.encode(), salt=salt, n=n, r=r, p=p, maxmem=_MEMORY_BYTES).hex()


_decoder = msgspec.json.Decoder(dict[str, User])


def read_users(path: Path) -> dict[str, User]:
    """Return the users by login; none where there is no file.

    Raises:
        ConfigError: it cannot be read, or others can read it.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"the users' file {path} cannot be read: {error.strerror}") from error
    if mode & 0o077:
        raise ConfigError(f"the users' file {path} can be read by others (mode {mode:o}); run: chmod 600 {path}")
    try:
        return _decoder.decode(text)
    except msgspec.DecodeError as error:
        raise ConfigError(f"the users' file {path} is not what `swarmage keys user` writes: {error}") from error


def users_as_text(users: dict[str, User]) -> str:
    """Return what is to stand in the file."""
    return msgspec.json.format(msgspec.json.encode(users), indent=2).decode() + "\n"


class UserFile:
    """The users' file as it is at the moment.

    Attributes:
        users: by login.
    """

    def __init__(self, path: Path) -> None:
        """Read it.

        Raises:
            ConfigError: it cannot be read, or others can read it.
        """
        self._path = path
        self._seen = self._look()
        self.users = read_users(path)

    def refresh(self) -> bool:
        """Read it again if somebody has written it, and tell whether; one that cannot be read changes nothing."""
        now = self._look()
        if now == self._seen:
            return False
        self._seen = now
        try:
            self.users = read_users(self._path)
        except ConfigError as error:
            log.warning("%s; the users stay as they were", error)
            return False
        return True

    def _look(self) -> tuple[int, ...] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode)
