"""The signing keys: one that signs, others that are only accepted, so that it can be changed while everything runs.

The file holds a key a line, each of 32 bytes in hexadecimal, and the first one signs.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

from swarmage.errors import ConfigError
from swarmage.home import find_home, write_secret

logger = logging.getLogger(__name__)

KEY_BYTES = 32
OWNER_ALONE = 0o077
GROUP_MAY_READ = 0o037
"""What the mode of a key file must not have. systemd and Kubernetes hand a secret to an unprivileged process as a file
of root that its group, or the group of its access list, may read."""


def key_id(key: bytes) -> str:
    """Return by what a key is known; it tells nothing of the key."""
    return hashlib.sha256(b"swarmage key id\n" + key).hexdigest()[:8]


class KeyRing:
    """The keys that are held here.

    Attributes:
        keys: all that are accepted, as one tuple that is replaced whole; the first one signs.
        path: the file they were read from, None where they come from none.
    """

    def __init__(self, keys: Sequence[bytes], path: Path | None = None, *, of_root: int = OWNER_ALONE) -> None:
        """Hold keys.

        Args:
            keys: which; those of the file where there is one, so that they are read at the first look.
            path: the file.
            of_root: what the mode of the file must not have where it is root's.
        """
        self.keys = tuple(keys)
        self.path = path
        self._of_root = of_root
        self._seen: object = None  # what the file looked like when the keys were read
        self._refused: object = None  # and when it was no good

    @property
    def ids(self) -> list[str]:
        """By what the keys are known, in their order."""
        return [key_id(key) for key in self.keys]

    def look(self) -> tuple[bytes, ...]:
        """Return the keys, read again if their file has changed. From any thread, also from several at once.

        What cannot be read changes nothing: somebody may be about to copy it here. It is looked at again next time.
        """
        if self.path is None:
            return self.keys
        looks = _looks_of(self.path)
        if looks == self._seen:
            return self.keys
        try:
            keys = _read(self.path, self._of_root)
        except ConfigError as error:
            if looks != self._refused:
                self._refused = looks
                logger.warning("%s; until then the keys of before stay: %s", error, ", ".join(self.ids))
            return self.keys
        if keys != self.keys:
            self.keys = keys
            logger.info("%s has changed: the key %s signs now, of %s", self.path, self.ids[0], ", ".join(self.ids))
        self._seen = looks  # at last: another thread that sees it finds the keys in place
        return self.keys

    def read(self) -> None:
        """Read the file for the first time.

        Raises:
            ConfigError: there is none, it is readable by others, or it holds no keys.
        """
        assert self.path is not None
        looks = _looks_of(self.path)
        self.keys = _read(self.path, self._of_root)
        self._seen = looks

    def write(self, keys: Sequence[bytes]) -> None:
        """Put other keys into the file, whole or not at all.

        Raises:
            ConfigError: it cannot be written, or is somebody else's to write.
        """
        assert self.path is not None
        path = self.path.resolve()  # a link stays one
        found = path.stat()
        if found.st_uid != os.geteuid() or found.st_mode & OWNER_ALONE:
            raise ConfigError(
                f"the key file {path} is not yours alone (mode {stat.S_IMODE(found.st_mode):o}): change the keys in the"
                " file that it was made of, and put that in its place as it was put there"
            )
        write_secret(path, "".join(f"{key.hex()}\n" for key in keys))
        self.keys = tuple(keys)


def load_ring(*, create: bool = False) -> KeyRing:
    """Return the keys: from ``SWARMAGE_KEY_FILE``, which root may have put there, else from the state folder.

    A state folder without a key gets one; a new state folder is made only when ``create`` is true, so that a client
    does not litter the place it happens to run in.

    Raises:
        ConfigError: there is no key, it is readable by others, or it is not 32 bytes in hexadecimal.
    """
    named = os.environ.get("SWARMAGE_KEY_FILE")
    if named:
        ring = KeyRing((), Path(named).absolute(), of_root=GROUP_MAY_READ)
    else:
        ring = KeyRing((), _path_at_home(create=create))
    ring.read()
    return ring


def _path_at_home(*, create: bool) -> Path:
    home = find_home(create=create)
    if home is None:
        raise ConfigError(
            "no signing key: there is no .swarmage folder here. Start `swarmage up`, `swarmage bus` or `swarmage drone`"
            " in this folder first, or name the swarm's key file in SWARMAGE_KEY_FILE"
        )
    path = home.absolute() / "key"
    if not path.exists():
        write_secret(path, new_key().hex() + "\n", replace=False)
    return path


def new_key() -> bytes:
    """Return a key that nobody else has."""
    return secrets.token_bytes(KEY_BYTES)


def _looks_of(path: Path) -> object:
    try:
        found = path.stat()
    except OSError as error:
        return error.errno
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def _read(path: Path, of_root: int) -> tuple[bytes, ...]:
    try:
        found = path.stat()
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise ConfigError(f"the key file {path} cannot be read: {error.strerror}") from error
    mode, forbidden = stat.S_IMODE(found.st_mode), OWNER_ALONE if found.st_uid else of_root
    if mode & forbidden:
        raise ConfigError(f"the key file {path} can be read by others (mode {mode:o}); run: chmod 600 {path}")
    alone = _key_in(text)  # one key may be broken into lines, as xxd does it
    keys = [alone] if alone else [_key_in(line) for line in text.splitlines() if line.strip()]
    if not keys or not all(keys):
        raise ConfigError(
            f"the key file {path} does not hold {KEY_BYTES} bytes in hexadecimal, or several such lines;"
            " restore or remove it"
        )
    return tuple(dict.fromkeys(keys))


def _key_in(text: str) -> bytes:
    """Return the key that a text holds, nothing where it does not."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        return b""
    return key if len(key) == KEY_BYTES else b""
