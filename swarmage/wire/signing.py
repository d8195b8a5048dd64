"""Signatures: who may insert tasks is who holds a key.

HMAC-SHA256 (RFC 2104) over the destination, a line feed and the body. The destination is part of it, so that a message
cannot be moved from one queue to another. Nothing is decoded before its signature has been checked.
"""

from __future__ import annotations

import hashlib
import hmac

from swarmage.errors import BadSignature
from swarmage.keyring import KeyRing, key_id

VERSION = "v1"
HEADER = "signature"
_BLOCK = 64
_PREFIX_LENGTH = len(f"{VERSION}.{key_id(b'')}.")


def signed_by(signature: str) -> str:
    """Return by which version and key a signature says that it was made."""
    return signature.rpartition(".")[0]


class _Key:
    """One key, with what of the digest depends on it alone."""

    __slots__ = ("_inner", "_outer", "prefix")

    def __init__(self, key: bytes) -> None:
        assert len(key) <= _BLOCK, "longer keys would have to be hashed first"
        # RFC 2104, section 4: what depends on the key alone is computed once. hmac.digest() costs four times as much,
        # most of it for looking up the hash function by its name again
        block = key.ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))
        self.prefix = f"{VERSION}.{key_id(key)}."

    def sign(self, destination: str, body: bytes) -> str:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(b"%b\n%b" % (destination.encode(), body))
        outer.update(inner.digest())
        return self.prefix + outer.hexdigest()


class Signer:
    """Signs with the first key of a ring, and checks what others signed with any of them."""

    def __init__(self, keys: bytes | KeyRing) -> None:
        """Begin with a ring, or with one key that stays."""
        self._ring = KeyRing((keys,)) if isinstance(keys, bytes) else keys
        self._take(self._ring.keys)

    def _take(self, keys: tuple[bytes, ...]) -> None:
        known = [_Key(key) for key in keys]
        self._known = {key.prefix: key for key in known}
        self._first = known[0]
        self._taken = keys  # at last: another thread that sees it finds the others in place

    def look(self) -> None:
        """Take other keys if their file holds others by now; from any thread, for the price of a look at the file."""
        keys = self._ring.look()
        if keys is not self._taken:
            self._take(keys)

    def signs_as(self) -> str:
        """Return what `signed_by` says of the signatures that are made now."""
        return self._first.prefix[:-1]

    def sign(self, destination: str, body: bytes) -> str:
        """Return the value of the signature header."""
        return self._first.sign(destination, body)

    def verify(self, destination: str, body: bytes, signature: str | None) -> None:
        """Check the signature header's value.

        Raises:
            BadSignature: it is missing, of another version or key, or does not fit; the message says which.
        """
        if signature is None:
            raise BadSignature("the message is not signed")
        key = self._first
        if not signature.startswith(key.prefix):
            key = self._find(signature)
        expected = key.sign(destination, body)
        if not (signature.isascii() and hmac.compare_digest(signature, expected)):
            raise BadSignature("the signature does not fit the message: it was altered, or moved from another queue")

    def _find(self, signature: str) -> _Key:
        """Return the other key that a signature names; one that is not known may have come into the file just now."""
        prefix = signature[:_PREFIX_LENGTH]
        if prefix not in self._known:
            self.look()
        key = self._known.get(prefix)
        if key is None:
            named = ".".join(signature.split(".")[:2])[:32]
            held = ", ".join(each[:-1] for each in self._known)
            raise BadSignature(
                f"the message is signed by {named!r}, the keys held here are {held}: was that key retired, or is it"
                " another swarm's?"
            )
        return key
