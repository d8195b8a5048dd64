"""Signatures: who may insert tasks is who holds the key.

HMAC-SHA256 (RFC 2104) over the destination, a line feed and the body. The destination is part of it, so that a message
cannot be moved from one queue to another. Nothing is decoded before its signature has been checked.
"""

from __future__ import annotations

import hashlib
import hmac

from swarmage.errors import BadSignature

VERSION = "v1"
HEADER = "signature"
_BLOCK = 64


class Signer:
    """Signs with one key and checks what others signed with it."""

    def __init__(self, key: bytes) -> None:
        assert len(key) <= _BLOCK, "longer keys would have to be hashed first"
        # RFC 2104, section 4: what depends on the key alone is computed once. hmac.digest() costs four times as much,
        # most of it for looking up the hash function by its name again
        block = key.ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))
        self.key_id = hashlib.sha256(b"swarmage key id\n" + key).hexdigest()[:8]
        self._prefix = f"{VERSION}.{self.key_id}."

    def sign(self, destination: str, body: bytes) -> str:
        """Return the value of the signature header."""
        return self._prefix + self._digest(destination, body)

    def verify(self, destination: str, body: bytes, signature: str | None) -> None:
        """Check the signature header's value.

        Raises:
            BadSignature: it is missing, of another version or key, or does not fit; the message says which.
        """
        if signature is None:
            raise BadSignature("the message is not signed")
        if not signature.startswith(self._prefix):
            named = ".".join(signature.split(".")[:2])[:32]
            raise BadSignature(f"the message is signed by {named!r}, the key held here is {self._prefix[:-1]}")
        expected = self._prefix + self._digest(destination, body)
        if not (signature.isascii() and hmac.compare_digest(signature, expected)):
            raise BadSignature("the signature does not fit the message: it was altered, or moved from another queue")

    def _digest(self, destination: str, body: bytes) -> str:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(b"%b\n%b" % (destination.encode(), body))
        outer.update(inner.digest())
        return outer.hexdigest()
