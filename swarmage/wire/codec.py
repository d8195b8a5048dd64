"""Values to bytes and back.

The only file that unpickles, and only what a checked signature covers or a process of our own has said.
"""

from __future__ import annotations

import base64
import math
from pathlib import PurePath
from typing import Any, TypeVar

import cloudpickle
import msgspec

from swarmage.errors import NotEncodable, TaskTimeout, Unreadable

T = TypeVar("T")


def _encode_other(value: object) -> object:
    if isinstance(value, PurePath):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _decode_other(kind: type, value: object) -> object:
    if isinstance(kind, type) and issubclass(kind, PurePath) and isinstance(value, str):
        return kind(value)
    if isinstance(value, kind):
        return value
    raise TypeError(f"Expected `{getattr(kind, '__name__', kind)}`, got `{type(value).__name__}`")


_encoder = msgspec.json.Encoder(enc_hook=_encode_other)


def to_json(value: Any) -> bytes | None:
    """Return the value as JSON, or None where JSON cannot say it.

    What msgspec writes: the JSON types, and datetime, UUID, Decimal, bytes, sets, dataclasses, enums and paths in a
    form that the receiver's annotations turn back.
    """
    try:
        text = _encoder.encode(value)
        # msgspec writes NaN and the infinities as null, which would come back as None
        if b"null" in text and _has_nan(msgspec.to_builtins(value, enc_hook=_encode_other, str_keys=False)):
            return None
    except TaskTimeout:
        raise
    except Exception:  # noqa: BLE001 - what a foreign class raises to say that it is none of JSON's types
        return None
    return text


def _has_nan(value: object) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(_has_nan(item) for pair in value.items() for item in pair)
    return isinstance(value, list | tuple | set | frozenset) and any(_has_nan(item) for item in value)


def pickle(value: Any, what: str) -> bytes:
    """Return the value by cloudpickle.

    Raises:
        NotEncodable: cloudpickle cannot carry it either.
    """
    try:
        data: bytes = cloudpickle.dumps(value)
    except Exception as error:  # whatever a foreign __reduce__ raises means the same here
        raise NotEncodable(f"{what} can be carried neither by JSON nor by cloudpickle: {error}") from error
    return data


def unpickle(data: bytes) -> Any:
    """Return the value again. Call it only on bytes whose signature has been checked, or that never left the machine.

    Raises:
        Unreadable: the bytes name something that is not installed here, or are damaged.
    """
    try:
        return cloudpickle.loads(data)
    except TaskTimeout:
        raise
    except BaseException as error:  # unpickling runs the sender's code, which may raise anything, SystemExit too
        raise Unreadable(f"a pickled value cannot be read here: {type(error).__name__}: {error}") from error


class Carried:
    """A value between two processes of one cell, which is opened by who uses it, and by nobody on its way."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def open(self) -> Any:
        """Return the value.

        Raises:
            Unreadable: it names something that is not there in this process.
        """
        return unpickle(self.data)


def carry(value: Any) -> bytes:
    """Return a result for another process, as it came if it comes from one.

    Raises:
        NotEncodable: it cannot be pickled.
    """
    return value.data if type(value) is Carried else pickle(value, "a result")


def convert(value: Any, kind: Any) -> Any:
    """Turn a value that came as JSON into what an annotation asks for.

    Raises:
        Unreadable: it does not fit; the message says where and what was expected.
    """
    try:
        return msgspec.convert(value, kind, dec_hook=_decode_other, str_keys=True)
    except msgspec.ValidationError as error:
        raise Unreadable(str(error)) from None
    except TypeError:  # an annotation msgspec has no meaning for, such as a TypeVar: leave the value as it came
        return value
    except Exception as error:  # noqa: BLE001 - whatever the annotation's own class raises to refuse the value
        raise Unreadable(f"{type(error).__name__}: {error}") from None


def read_struct(decoder: msgspec.json.Decoder[T], body: bytes, what: str) -> T:
    """Decode a body into the struct its decoder names.

    Raises:
        Unreadable: it is not that.
    """
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"not {what}: {error}") from None


def base64_text(data: bytes) -> str:
    """Return bytes as text for JSON that people read."""
    return base64.b64encode(data).decode("ascii")
