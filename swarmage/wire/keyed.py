"""The state of a key, as a message.

From: drone.  To: the bus, as a value; and the other way round.
"""

from __future__ import annotations

from typing import Any

import msgspec

from swarmage.errors import NotEncodable, Unreadable
from swarmage.wire import codec
from swarmage.wire.envelope import MAX_BODY, Wire
from swarmage.wire.message import Message
from swarmage.wire.names import saved_destination


class Saved(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state of one key, as it was saved last.

    Attributes:
        key: which one; its destination holds only a digest.
        version: 1 at first, one more each time it is saved.
        state: what was saved.
        pickled: the same by cloudpickle, where JSON would not bring it back as it was.
    """

    key: str
    version: int
    state: Any = None
    pickled: bytes | None = None


_encoder = msgspec.json.Encoder()
_PLAIN = frozenset({str, int, float, bool, type(None)})


def encode_state(state: Any, what: str) -> msgspec.Raw | bytes:
    """Return a state as JSON, or as the bytes of cloudpickle where JSON would not bring it back as it was.

    Raises:
        NotEncodable: neither can carry it.
    """
    text = codec.to_json(state) if _returns(state) else None
    return codec.pickle(state, f"the state of {what}") if text is None else msgspec.Raw(text)


def _returns(value: Any) -> bool:
    """Say whether JSON brings a value back as it was: a tuple would come back as a list, a number as a name as text."""
    kind = type(value)
    if kind in _PLAIN:
        return True
    if kind is dict:
        return all(type(name) is str and _returns(item) for name, item in value.items())
    return kind is list and all(map(_returns, value))


def write_state(wire: Wire, kind: str, key: str, version: int, encoded: msgspec.Raw | bytes) -> Message:
    """Return the message that makes this the state of a key.

    Raises:
        NotEncodable: it is too large for the bus.
    """
    if isinstance(encoded, msgspec.Raw):
        saved = Saved(key=key, version=version, state=encoded)
    else:
        saved = Saved(key=key, version=version, pickled=encoded)
    body = _encoder.encode(saved)
    if len(body) > MAX_BODY:
        raise NotEncodable(
            f"the state of {kind}[{key!r}] has {len(body)} bytes, the bus takes {MAX_BODY};"
            " keep large data in a file or store, or under keys of its own"
        )
    return wire.sign(Message(saved_destination(kind, key), body, ""))


def forget_state(wire: Wire, kind: str, key: str) -> Message:
    """Return the message that leaves nothing of a key."""
    return wire.sign(Message(saved_destination(kind, key), b"", ""))


def read_state(wire: Wire, kind: str, key: str, body: bytes, signature: str | None) -> tuple[int, Any]:
    """Check and read a state; return its version and what was saved.

    Raises:
        BadSignature: its signature is missing or wrong.
        Unreadable: it is no state of this key, or names something that is not there in this process.
    """
    saved = codec.convert(wire.read_note(saved_destination(kind, key), body, signature), Saved)
    if saved.key != key:
        raise Unreadable(f"the state of another key, {saved.key[:100]!r}")
    return saved.version, saved.state if saved.pickled is None else codec.unpickle(saved.pickled)
